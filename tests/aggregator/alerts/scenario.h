// Something that happens to one rule of one host: what its series say, when the aggregator stops or is
// killed, who silences it, what its receivers take. Made from a seed, the same everywhere.
#pragma once

#include "aggregator/rules/rule_file.h"
#include "aggregator/rules/rule_set.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::alerts::testing {

/// What a series says: above the rule's threshold; below it, but not below `clear`; below both; nothing.
enum class Reading : std::uint8_t { high, middle, low, none };

inline constexpr double kThreshold = 90;
inline constexpr double kClear = 70;

/// The rule, as far as it matters when it fires.
struct Terms {
  bool exists = true;
  int hold_s = 0;       // `for`
  int keep_s = 0;       // keep_firing_for, or clear_for
  bool clears = false;  // it has `clear`
  int enough = 1;       // `times`
  int of = 1;
  rules::OnNoData on_no_data = rules::OnNoData::keep;
  int changes = 0;  // `flapping`; 0: nobody looks
  int within_s = 0;
  bool is_critical = false;
};
/// A rule file of it; the alert is called Hot.
rules::RuleSetPtr rules_of(const Terms& terms);

enum class Act : std::uint8_t {
  wait,
  evaluate,
  silence,
  expire,  // the silence that was set last
  acknowledge,
  reload,
  stop,         // in order, and a start
  kill,         // and a start: what is not in meta.db is lost
  kill_within,  // before what an evaluation gave is in meta.db
};

/// How a receiver's line is.
enum class Line : std::uint8_t {
  open,
  slow,  // what was sent last is not noted as sent yet
  away,
};

inline constexpr std::size_t kReceivers = 2;
inline constexpr std::size_t kAllSeries = 99;

struct Step {
  std::int64_t after_s = 0;
  Act act = Act::wait;
  std::vector<Reading> readings{};  // of each series
  bool all_work = true;             // the host says that all its collectors work
  std::size_t series = 0;           // that is silenced or acknowledged; kAllSeries: all of them
  int for_s = 0;                    // of a silence
  Terms terms{};                    // of a reload, and of a start
  std::vector<Line> lines{};        // from then on
};

struct Scenario {
  std::uint64_t seed = 0;
  std::size_t series = 1;
  Terms terms{};
  std::vector<Step> steps;  // at their end all is over
};

Scenario make_scenario(std::uint64_t seed);

/// A line for each step, for whoever wants to know what went wrong.
std::string to_string(const Scenario& scenario);
std::string to_string(const Terms& terms);

}  // namespace vigil::alerts::testing
