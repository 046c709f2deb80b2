// os-release(5): KEY=value lines with shell quoting.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::agent {

struct OsRelease {
  std::vector<std::pair<std::string, std::string>> values;  // valid UTF-8, without quotes
  /// "" when the file does not say.
  std::string_view get(std::string_view key) const;
};

/// Lines that are not of that form are passed over.
OsRelease parse_os_release(std::string_view text);

}  // namespace vigil::agent
