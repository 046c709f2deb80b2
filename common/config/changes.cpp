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

/// Those of `settings` that `others` lacks or has with another value.
std::vector<std::string_view> beyond(const std::vector<Setting>& settings, const ByPath& others) {
  std::vector<std::string_view> out;
  for (const Setting& setting : settings) {
    const auto other = others.find(setting.path);
    if (other == others.end() || other->second != setting.value) out.emplace_back(setting.path);
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
  const auto note = [&](std::string_view path) {
    std::vector<std::string>& list = is_taken(path) ? changes.taken : changes.needs_restart;
    std::string name = named(path);
    if (std::ranges::find(list, name) == list.end()) list.push_back(std::move(name));
  };
  for (const std::string_view path : beyond(next, by_path(settings_))) note(path);
  for (const std::string_view path : beyond(settings_, by_path(next))) note(path);  // what is gone
  return changes;
}

void InForce::adopt(const std::vector<Setting>& next) {
  std::erase_if(settings_, [this](const Setting& setting) { return is_taken(setting.path); });
  std::ranges::copy_if(next, std::back_inserter(settings_),
                       [this](const Setting& setting) { return is_taken(setting.path); });
}

}  // namespace vigil::config
