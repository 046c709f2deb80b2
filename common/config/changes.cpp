#include "common/config/changes.h"

#include <algorithm>
#include <map>

namespace vigil::config {
namespace {

/// "files[2]" is said as "files": one item more moves all behind it.
std::string named(std::string_view path) {
  if (path.ends_with(']')) path = path.substr(0, path.rfind('['));
  return std::string(path);
}

using ByPath = std::map<std::string_view, std::string_view>;

ByPath by_path(const std::vector<Setting>& settings) {
  ByPath out;
  for (const Setting& setting : settings) out.emplace(setting.path, setting.value);
  return out;
}

/// Whether there is something at this place of a document, or below it.
bool has(const ByPath& settings, std::string_view place) {
  const auto has_below = [&](char next) {
    const std::string begin = std::string(place) + next;
    const auto at = settings.lower_bound(begin);
    return at != settings.end() && at->first.starts_with(begin);
  };
  return settings.contains(place) || has_below('.') || has_below('[');
}

/// A receiver that is new has all its keys with it, also those that nobody wrote: it is said by the first
/// place that the other document has nothing at, "receivers[1]".
std::string_view first_missing(std::string_view path, const ByPath& others) {
  for (std::size_t end = path.find_first_of(".["); end != std::string_view::npos;
       end = path.find_first_of(".[", end + 1)) {
    if (!has(others, path.substr(0, end))) return path.substr(0, end);
  }
  return path;
}

struct Difference {
  std::string_view path;
  std::string_view said;  // the part of it that tells
  const Setting& setting;
};

/// Those of `settings` that `others` lacks or has with another value.
std::vector<Difference> beyond(const std::vector<Setting>& settings, const ByPath& others) {
  std::vector<Difference> out;
  for (const Setting& setting : settings) {
    const auto other = others.find(setting.path);
    if (other == others.end()) {
      out.push_back({setting.path, first_missing(setting.path, others), setting});
    } else if (other->second != setting.value) {
      out.push_back({setting.path, setting.path, setting});
    }
  }
  return out;
}

}  // namespace

bool InForce::is_taken(std::string_view path) const {
  return std::ranges::any_of(taken_, [path](std::string_view key) {
    if (!path.starts_with(key)) return false;
    return path.size() == key.size() || path[key.size()] == '.' || path[key.size()] == '[';
  });
}

Changes InForce::compare(const std::vector<Setting>& next) const {
  Changes changes;
  const auto note = [&](const Difference& each) {
    std::vector<std::string>& list = is_taken(each.path) ? changes.taken : changes.needs_restart;
    std::string name = named(each.said);
    if (std::ranges::find(list, name) == list.end()) list.push_back(std::move(name));
  };
  for (const Difference& each : beyond(next, by_path(settings_))) {
    note(each);
    changes.after.push_back(each.setting);
  }
  for (const Difference& each : beyond(settings_, by_path(next))) {  // what is gone
    note(each);
    changes.before.push_back(each.setting);
  }
  return changes;
}

void InForce::adopt(const std::vector<Setting>& next) {
  std::erase_if(settings_, [this](const Setting& setting) { return is_taken(setting.path); });
  std::ranges::copy_if(next, std::back_inserter(settings_),
                       [this](const Setting& setting) { return is_taken(setting.path); });
}

}  // namespace vigil::config
