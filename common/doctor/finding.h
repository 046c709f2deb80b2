// What `vigil doctor`, `vigil-agent doctor` and `vigil-aggregator doctor` say: one finding for each thing
// that was looked at, with what would mend it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::doctor {

enum class Verdict : std::uint8_t { ok, warning, problem };
std::string_view to_string(Verdict verdict);

struct Finding {
  Verdict verdict = Verdict::ok;
  std::string area;   // "disk": the same word for all of its kind
  std::string about;  // "/var/lib/vigil"
  std::string seen;   // in words
  std::string fix;    // a command or a key where there is one; "" when all is well
};
using Findings = std::vector<Finding>;

Finding ok(std::string_view area, std::string about, std::string seen);
Finding warning(std::string_view area, std::string about, std::string seen, std::string fix);
Finding problem(std::string_view area, std::string about, std::string seen, std::string fix);

/// No problem; warnings may be among them.
bool is_well(const Findings& findings);

/// Columns as wide as they must be, each fix beneath its finding, and a line that counts.
std::string to_table(const Findings& findings);
/// A list of objects: verdict, area, about, seen, fix.
std::string to_json(const Findings& findings);

}  // namespace vigil::doctor
