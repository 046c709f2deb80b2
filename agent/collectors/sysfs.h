// Numbered devices and their attributes in sysfs: mc0, thermal_zone3, hwmon7.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

struct NumberedEntry {
  std::string path;
  std::string number;  // "3" of thermal_zone3
};

/// The entries of `folder` named `prefix` and a number, by number; none when there is no such folder.
std::vector<NumberedEntry> numbered_entries(const std::string& folder, std::string_view prefix);

/// An attribute that holds one integer; nothing when it cannot be read (a sensor that is asleep says EAGAIN,
/// ENODATA or EIO) or holds something else.
std::optional<std::int64_t> read_number(const std::string& path);

}  // namespace vigil::agent
