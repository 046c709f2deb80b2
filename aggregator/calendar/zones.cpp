#include "aggregator/calendar/zones.h"

#include "aggregator/calendar/tzif.h"
#include "common/config/files.h"
#include "common/text/ascii.h"
#include "common/text/human.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

namespace vigil::calendar {
namespace {

constexpr std::size_t kLongestName = 64;

/// A name never leads out of the folder.
bool is_zone_name(std::string_view name) {
  const auto fits = [](char c) { return is_letter(c) || is_digit(c) || c == '/' || c == '+' || c == '-'; };
  return !name.empty() && name.size() <= kLongestName && name.front() != '/' &&
         std::all_of(name.begin(), name.end(), fits);
}

/// Paths below the folder, for suggestions.
std::vector<std::string> names_in(const std::string& folder) {
  namespace fs = std::filesystem;
  std::vector<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().lexically_relative(folder).string();
    if (entry->is_regular_file(error) && is_zone_name(name)) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

Result<ZonePtr> Zones::find(std::string_view name) {
  if (name == "UTC") return utc();
  if (const auto known = known_.find(name); known != known_.end()) return known->second;
  if (!is_zone_name(name)) return unknown(name);
  const std::string path = name == "Local" ? "/etc/localtime" : folder_ + '/' + std::string(name);
  const auto bytes = config::read_file(path);
  // Without /etc/localtime this machine's zone is UTC: localtime(5).
  if (!bytes && name == "Local" && bytes.error().code == Errc::not_found) return utc();
  if (!bytes) return unknown(name);
  auto zone = parse_tzif(*bytes, std::string(name));
  if (!zone) return zone.error();
  const ZonePtr made = std::make_shared<const Zone>(std::move(*zone));
  known_.emplace(name, made);
  return made;
}

Error Zones::unknown(std::string_view name) const {
  const std::vector<std::string> names = names_in(folder_);
  if (names.empty()) {
    return fail(Errc::not_found, "no time zone '{}': {} holds none; install the package tzdata", name,
                folder_);
  }
  const std::string_view nearest = suggest(name, names);
  return fail(Errc::not_found, "no time zone '{}' in {}; {}", name, folder_,
              nearest.empty() ? std::string("write for example Europe/Berlin")
                              : fmt::format("did you mean {}?", nearest));
}

}  // namespace vigil::calendar
