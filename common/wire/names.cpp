#include "common/wire/names.h"

#include "common/text/ascii.h"
#include "common/text/utf8.h"

#include <algorithm>

namespace vigil::wire {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

bool valid_metric_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || is_digit(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == ':'; });
}

bool valid_label_name(std::string_view name) {
  return valid_metric_name(name) && name.find(':') == std::string_view::npos && !name.starts_with("__");
}

bool valid_host_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxHostBytes) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == ':' || c == '-'; });
}

std::string clean_text(std::string_view text, std::size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const std::string_view piece = length == 0 ? kReplacement : text.substr(0, length);
    if (out.size() + piece.size() > max_bytes) break;
    out += piece;
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string clean_name(std::string_view name) {
  std::string out(name.substr(0, kMaxNameBytes));
  for (char& c : out) {
    if (!is_letter(c) && !is_digit(c) && c != ':') c = '_';
  }
  if (out.empty() || is_digit(out.front())) out.insert(0, 1, '_');
  out.resize(std::min(out.size(), kMaxNameBytes));
  return out;
}

}  // namespace vigil::wire
