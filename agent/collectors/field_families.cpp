#include "agent/collectors/field_families.h"

#include <map>
#include <mutex>

namespace vigil::agent {
namespace {

bool is_metric_name(std::string_view name) {
  constexpr std::size_t kLongest = 100;
  if (name.empty() || name.size() > kLongest || (name.front() >= '0' && name.front() <= '9')) return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
         std::string_view::npos;
}

struct Learned {
  std::string help;
  Family family;
};

struct Registry {
  std::mutex mutex;
  std::map<std::string, Learned, std::less<>> families;  // nodes never move, so families keep their address
};

}  // namespace

const Family* learn_family(std::string_view name, std::string_view help, SeriesType type) {
  static auto* const registry = new Registry;  // never destroyed: sheets may outlive every static object
  if (!is_metric_name(name)) return nullptr;
  const std::lock_guard lock(registry->mutex);
  const auto found = registry->families.find(name);
  if (found != registry->families.end()) return &found->second.family;
  if (registry->families.size() >= kMaxLearnedFamilies) return nullptr;
  const auto place = registry->families.emplace(name, Learned{std::string(help), {}}).first;
  place->second.family = {place->first, place->second.help, type};
  return &place->second.family;
}

const Family* FieldFamilies::next(std::string_view group, std::string_view field) {
  if (place_ < known_.size() && known_[place_].field == field && known_[place_].group == group)
    return known_[place_++].family;
  if (place_ >= kMaxLearnedFamilies) return nullptr;
  // A field came or went: this place and those after it are learned anew, one by one.
  if (place_ >= known_.size()) known_.resize(place_ + 1);
  known_[place_] = {std::string(group), std::string(field), declare_(group, field)};
  return known_[place_++].family;
}

}  // namespace vigil::agent
