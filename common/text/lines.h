#pragma once

#include <algorithm>
#include <string_view>

namespace vigil {

/// Hands over a text line by line, without what ends them; nothing of an empty text.
template <class Take>
void for_each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace vigil
