#include "agent/collectors/sysfs.h"

#include "agent/files/proc_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

#include <algorithm>

namespace vigil::agent {

std::vector<NumberedEntry> numbered_entries(const std::string& folder, std::string_view prefix) {
  std::vector<NumberedEntry> entries;
  const auto names = list_directory(folder);
  if (!names) return entries;
  for (const std::string& name : *names) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view number = std::string_view(name).substr(prefix.size());
    const bool digits = !number.empty() && std::all_of(number.begin(), number.end(),
                                                       [](char c) { return c >= '0' && c <= '9'; });
    if (digits) entries.push_back({fmt::format("{}/{}", folder, name), std::string(number)});
  }
  return entries;
}

std::optional<std::int64_t> read_number(const std::string& path) {
  const auto content = read_small_file(path, 256);
  return content ? parse_integer(trim(*content)) : std::nullopt;
}

}  // namespace vigil::agent
