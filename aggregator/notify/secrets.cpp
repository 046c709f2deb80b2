#include "aggregator/notify/secrets.h"

#include "common/text/base64.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace vigil::notify {
namespace {

constexpr std::string_view kInstead = "<secret>";
// Shorter ones are ordinary words: an answer without them would say nothing.
constexpr std::size_t kLeast = 3;
constexpr std::size_t kLeastOfQuery = 4;
constexpr std::size_t kLeastOfPath = 6;
constexpr std::size_t kTellingBytes = 8;  // of a secret's beginning, where the rest was cut off
constexpr std::size_t kLongestSpelling = 6;

/// Headers that each request has.
constexpr std::array<std::string_view, 5> kCommon = {"Content-Type", "User-Agent", "Idempotency-Key",
                                                     "Expect", "Accept"};
constexpr std::array<std::pair<std::string_view, char>, 5> kEntities = {
    {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// A number that stands at the beginning, with so many digits at most; their count, 0 without one.
std::size_t read_number(std::string_view text, int base, std::size_t most_digits, unsigned& value) {
  const char* const begin = text.data();
  const auto read = std::from_chars(begin, begin + std::min(text.size(), most_digits), value, base);
  return read.ec == std::errc() ? static_cast<std::size_t>(read.ptr - begin) : 0;
}

/// A character as its number: so many digits, or at most so many where something ends them.
struct NumberForm {
  std::string_view before;
  int base;
  std::size_t digits;
  std::string_view after;
};
constexpr std::array<NumberForm, 6> kNumberForms = {{{"%25", 16, 2, ""},
                                                     {"%", 16, 2, ""},
                                                     {"&#x", 16, 6, ";"},
                                                     {"&#", 10, 6, ";"},
                                                     {"\\u", 16, 4, ""},
                                                     {"\\x", 16, 2, ""}}};

std::size_t length_as(const NumberForm& form, std::string_view text, char c) {
  if (!text.starts_with(form.before)) return 0;
  text.remove_prefix(form.before.size());
  unsigned value = 0;
  const std::size_t digits = read_number(text, form.base, form.digits, value);
  const bool is_whole = form.after.empty() ? digits == form.digits : digits != 0;
  if (!is_whole || value != static_cast<unsigned char>(c) || !text.substr(digits).starts_with(form.after))
    return 0;
  return form.before.size() + digits + form.after.size();
}

/// How many bytes at the beginning of `text` stand for `c`: itself, or as URLs, HTML and JSON write it; 0: it
/// is another one.
std::size_t length_of(std::string_view text, char c) {
  for (const NumberForm& form : kNumberForms) {
    if (const std::size_t length = length_as(form, text, c); length != 0) return length;
  }
  for (const auto& [entity, meant] : kEntities) {
    if (meant == c && text.starts_with(entity)) return entity.size();
  }
  if (text.size() > 1 && text[0] == '\\' && text[1] == c) return 2;
  if (text.empty()) return 0;
  return lower(text[0]) == lower(c) || (c == ' ' && text[0] == '+') ? 1 : 0;
}

/// Bytes at the beginning of `text` that are the secret, or so much of its beginning that it tells of it.
std::size_t match(std::string_view text, std::string_view secret) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    const std::string_view rest = text.substr(at);
    const std::size_t length = length_of(rest, secret[i]);
    if (length != 0) {
      at += length;
      continue;
    }
    const bool is_cut_off = rest.size() < kLongestSpelling &&
                            (rest.empty() || std::string_view("%&\\").find(rest[0]) != rest.npos);
    if (is_cut_off && i >= kLeast) return text.size();
    return i >= kTellingBytes ? at : 0;
  }
  return at;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    unsigned value = 0;
    const bool is_encoded =
        text[0] == '%' && text.size() > 2 && read_number(text.substr(1), 16, 2, value) == 2;
    out += is_encoded ? static_cast<char>(value) : text[0];
    text.remove_prefix(is_encoded ? 3 : 1);
  }
  return out;
}

/// The parts between any of `separators`.
std::vector<std::string_view> parts_of(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

Secrets::Secrets(const Request& request) {
  add_url(request.url);
  for (const std::string& header : request.headers) add_header(header);
  if (!request.password.empty()) add_login(request.username + ':' + request.password);
  for (const std::string& secret : request.secrets) add(secret, kLeast);
}

void Secrets::add(std::string_view secret, std::size_t least) {
  if (secret.size() < least) return;
  all_.emplace(secret);
  if (std::string decoded = percent_decoded(secret); decoded != secret) all_.insert(std::move(decoded));
}

void Secrets::add_login(std::string_view login) {
  add(base64(login), kLeast);
  add(login.substr(std::min(login.find(':') + 1, login.size())), kLeast);
}

void Secrets::add_url(std::string_view url) {
  url.remove_prefix(std::min(url.find("://") == url.npos ? 0 : url.find("://") + 3, url.size()));
  const std::size_t end_of_host = std::min(url.find_first_of("/?#"), url.size());
  const std::string_view host = url.substr(0, end_of_host);
  if (const std::size_t at = host.rfind('@'); at != host.npos) add_login(percent_decoded(host.substr(0, at)));
  const std::string_view target = url.substr(end_of_host);
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  const std::string_view query = target.substr(path.size());
  add(target, kLeast);
  add(path, kLeast);
  for (const std::string_view part : parts_of(path, "/")) add(part, kLeastOfPath);
  if (!query.empty()) add(query.substr(1), kLeastOfQuery);
  for (const std::string_view pair : parts_of(query, "?&#;")) {
    const std::size_t equals = pair.find('=');
    add(pair.substr(equals == pair.npos ? 0 : equals + 1), kLeastOfQuery);
  }
}

void Secrets::add_header(std::string_view header) {
  const std::size_t colon = header.find(':');
  if (colon == header.npos || std::ranges::find(kCommon, header.substr(0, colon)) != kCommon.end()) return;
  std::string_view value = header.substr(colon + 1);
  while (value.starts_with(' ')) value.remove_prefix(1);
  add(value, kLeast);
  const std::size_t space = value.find(' ');
  if (space == value.npos) return;
  const std::string_view credentials = value.substr(space + 1);  // behind Bearer, or Basic
  add(credentials, kLeast);
  if (const auto login = decode_base64(credentials); login && value.starts_with("Basic ")) add_login(*login);
}

std::string Secrets::cut_from(std::string_view text) const {
  std::string out;
  while (!text.empty()) {
    std::size_t longest = 0;
    for (const std::string& secret : all_) longest = std::max(longest, match(text, secret));
    if (longest > 0) {
      out += kInstead;
    } else {
      out += text[0];
    }
    text.remove_prefix(std::max<std::size_t>(longest, 1));
  }
  return out;
}

}  // namespace vigil::notify
