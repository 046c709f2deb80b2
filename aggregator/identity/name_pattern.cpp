#include "aggregator/identity/name_pattern.h"

#include "common/wire/names.h"

#include <algorithm>
#include <string>

namespace vigil::aggregator::identity {

bool valid_name_pattern(std::string_view pattern) {
  if (pattern.find('*') == std::string_view::npos) return false;
  std::string example(pattern);
  std::ranges::replace(example, '*', 'x');
  return wire::valid_host_name(example);
}

/// Back to the latest * where it does not go on: the first place that fits is as good as any later one.
bool fits(std::string_view name, std::string_view pattern) {
  std::size_t at = 0;
  std::size_t next = 0;                       // in pattern
  std::size_t star = std::string_view::npos;  // the latest in pattern
  std::size_t taken = 0;                      // of name, up to where it reaches
  while (at < name.size()) {
    if (next < pattern.size() && pattern[next] == '*') {
      star = next++;
      taken = at;
    } else if (next < pattern.size() && pattern[next] == name[at]) {
      ++next;
      ++at;
    } else if (star != std::string_view::npos) {
      next = star + 1;
      at = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', next) == std::string_view::npos;
}

}  // namespace vigil::aggregator::identity
