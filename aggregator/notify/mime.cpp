#include "aggregator/notify/mime.h"

#include "aggregator/notify/message.h"
#include "aggregator/notify/text.h"
#include "common/text/base64.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace vigil::notify {
namespace {

constexpr std::size_t kLine = 76;
constexpr std::size_t kWordBytes = 39;  // with "Subject: " and "=?UTF-8?B?...?=" still a line of 76

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Encoded words, each a line of its own and none cutting a character in two.
std::string encoded_words(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = std::min(kWordBytes, text.size());
    while (length < text.size() && length > 1 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80)
      --length;
    if (!out.empty()) out += "\r\n ";
    out += fmt::format("=?UTF-8?B?{}?=", base64(text.substr(0, length)));
    text.remove_prefix(length);
  }
  return out;
}

/// Folds plain words at spaces.
std::string fold(std::string_view text, std::size_t column) {
  std::string out;
  while (!text.empty()) {
    const std::size_t space = text.find(' ', 1);
    const std::string_view word = text.substr(0, space);
    if (column + word.size() > kLine && column > 1 && word.front() == ' ' && word.size() > 1) {
      out += "\r\n";
      column = 0;
    }
    out += word;
    column += word.size();
    text.remove_prefix(word.size());
  }
  return out;
}

}  // namespace

std::string header(std::string_view name, std::string_view text) {
  const std::string line = one_line(text);
  const std::string body = is_ascii(line) && line.find("=?") == std::string::npos
                               ? fold(line, name.size() + 2)
                               : encoded_words(line);
  return fmt::format("{}: {}\r\n", name, body);
}

std::string plain_header(std::string_view name, std::string_view value) {
  std::string line = one_line(value);
  std::erase_if(line, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  return fmt::format("{}: {}\r\n", name, line);
}

std::string mailbox(std::string_view text) {
  std::string address = address_of(text);
  const std::size_t open = text.find('<');
  std::string name = one_line(text.substr(0, open == std::string_view::npos ? 0 : open));
  while (name.ends_with(' ')) name.pop_back();
  if (name.empty()) return address;
  if (!is_ascii(name)) return fmt::format("{} <{}>", encoded_words(name), address);
  std::erase_if(name, [](char c) { return c == '"' || c == '\\'; });
  return fmt::format("\"{}\" <{}>", name, address);
}

std::string quoted_printable(std::string_view text) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\r') continue;
    if (c == '\n') {
      out += "\r\n";
      column = 0;
      continue;
    }
    const bool at_end = i + 1 == text.size() || text[i + 1] == '\n' || text[i + 1] == '\r';
    const bool plain = (c > 0x20 && c < 0x7F && c != '=') || ((c == ' ' || c == '\t') && !at_end);
    const std::size_t width = plain ? 1 : 3;
    if (column + width >= kLine) {
      out += "=\r\n";
      column = 0;
    }
    // A line that begins with a dot is encoded, whatever the server makes of dot-stuffing.
    if (plain && !(column == 0 && c == '.')) {
      out += static_cast<char>(c);
      column += 1;
    } else {
      out += fmt::format("={:02X}", c);
      column += 3;
    }
  }
  return out + "\r\n";
}

std::string mail_date(std::int64_t t_ms) {
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = t_ms / 1000;
  std::tm date{};
  ::gmtime_r(&seconds, &date);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000",
                     kDays[static_cast<std::size_t>(date.tm_wday)], date.tm_mday,
                     kMonths[static_cast<std::size_t>(date.tm_mon)], date.tm_year + 1900, date.tm_hour,
                     date.tm_min, date.tm_sec);
}

}  // namespace vigil::notify
