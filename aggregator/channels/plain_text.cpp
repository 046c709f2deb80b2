#include "aggregator/channels/plain_text.h"

#include "common/text/utf8.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace vigil::channels {
namespace {

/// What lies past U+FFFF are two units, and the characters of four bytes.
std::size_t units_of(std::size_t bytes) {
  return bytes == 4 ? 2 : 1;
}

/// "&lt;" to "<"; of those this program writes.
std::string entity(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kNames = {
      {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"nbsp", " "}}};
  for (const auto& [known, text] : kNames) {
    if (known == name) return std::string(text);
  }
  unsigned code = 0;
  if (name.starts_with('#')) std::from_chars(name.data() + 1, name.data() + name.size(), code);
  return code > 0 && code < 0x80 ? std::string(1, static_cast<char>(code)) : std::string();
}

}  // namespace

std::size_t length_in_units(std::string_view text) {
  std::size_t units = 0;
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(character_length(text), 1);
    units += units_of(length);
    text.remove_prefix(length);
  }
  return units;
}

std::string cut_units(std::string_view text, std::size_t units) {
  if (length_in_units(text) <= units) return std::string(text);
  std::size_t end = 0;
  std::size_t used = 1;  // the ellipsis
  while (end < text.size()) {
    const std::size_t length = std::max<std::size_t>(character_length(text.substr(end)), 1);
    if (used + units_of(length) > units) break;
    used += units_of(length);
    end += length;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string markdown_escape(std::string_view text) {
  constexpr std::string_view kMarkup = "\\`*_{}[]<>()#+-!|~";
  std::string out;
  for (const char c : text) {
    if (kMarkup.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string without_markup(std::string_view html) {
  std::string out;
  while (!html.empty()) {
    const std::size_t close = html.front() == '<'   ? html.find('>')
                              : html.front() == '&' ? html.substr(0, 12).find(';')
                                                    : std::string_view::npos;
    if (close == std::string_view::npos) {
      out += html.front();
      html.remove_prefix(1);
      continue;
    }
    if (html.front() == '&') out += entity(html.substr(1, close - 1));
    html.remove_prefix(close + 1);
  }
  return out;
}

}  // namespace vigil::channels
