// What must be there, said in the configuration and made rules of: containers that must run, and series that
// must go on. Rules like any other: listed, explained, changed by overrides, silenced, held back by HostDown.
// They are evaluated on the shard of each host, so a host that sends nothing misses nothing.
#pragma once

#include "common/config/fields.h"
#include "common/error.h"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace vigil::rules {

/// Hosts by name (patterns: * any characters, ? one) and by label; all of them when nothing is said.
struct WhichHosts {
  std::vector<std::string> names;
  std::map<std::string, std::string> labels;
};

struct ExpectedContainers {
  std::vector<std::string> names;  // a pattern wants one that fits at least
  WhichHosts hosts;
  std::chrono::milliseconds hold = std::chrono::minutes(1);
  std::string severity = "critical";
  config::Place at;
};
void describe(config::Fields& fields, ExpectedContainers& expected);

struct SteadySeries {
  std::string series;  // a PromQL selector
  WhichHosts hosts;
  std::chrono::milliseconds steady = std::chrono::hours(1);
  std::chrono::milliseconds hold = std::chrono::minutes(5);
  std::string severity = "warning";
  config::Place at;
};
void describe(config::Fields& fields, SteadySeries& series);

/// The name of the layer they stand in, in place of a file's.
inline constexpr const char* kBuiltIn = "built in";

/// A rule file of them, "" when there are none. Otherwise what is wrong, one a line, with its place. What is
/// right and can never fire is added to `warnings`.
Result<std::string> expectations_text(const std::vector<ExpectedContainers>& containers,
                                      const std::vector<SteadySeries>& series,
                                      std::vector<std::string>& warnings);

}  // namespace vigil::rules
