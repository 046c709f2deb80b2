#include "agent/docker_reader/question.h"

#include "agent/containers/engine_api.h"
#include "common/text/ascii.h"
#include "common/text/letter_case.h"

#include <algorithm>
#include <array>
#include <optional>

namespace vigil::agent::docker {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Takes `beginning` off the front of `text`.
bool skip(std::string_view& text, std::string_view beginning) {
  if (!text.starts_with(beginning)) return false;
  text.remove_prefix(beginning.size());
  return true;
}

/// Takes `least` to `most` digits off the front; empty where there are fewer or more.
std::string_view take_digits(std::string_view& text, std::size_t least, std::size_t most) {
  const std::size_t count = static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
  if (count < least || count > most) return {};
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

/// Takes "/v1.41" off the front, or nothing.
std::string_view take_api_version(std::string_view& target) {
  std::string_view rest = target;
  if (!skip(rest, "/v") || take_digits(rest, 1, 2).empty() || !skip(rest, ".") ||
      take_digits(rest, 1, 2).empty() || !rest.starts_with('/'))
    return {};
  const std::string_view version = target.substr(0, target.size() - rest.size());
  target = rest;
  return version;
}

/// "/containers/ID/json".
bool is_inspection(std::string_view path) {
  if (!skip(path, "/containers/") || !path.ends_with("/json")) return false;
  path.remove_suffix(std::string_view("/json").size());
  return path.size() >= 12 && path.size() <= 64 &&
         path.find_first_not_of(kHexDigits) == std::string_view::npos;
}

/// "filters=F" and, maybe, "&since=1700000000.000000001".
bool is_events_query(std::string_view query) {
  if (!skip(query, "filters=") || !(skip(query, kDockerFilter) || skip(query, kContainerFilter)))
    return false;
  if (query.empty()) return true;
  return skip(query, "&since=") && !take_digits(query, 1, 12).empty() && skip(query, ".") &&
         !take_digits(query, 9, 9).empty() && query.empty();
}

std::optional<Kind> kind_of(std::string_view path_and_query) {
  if (path_and_query == "/_ping") return Kind::ping;
  if (path_and_query == "/version") return Kind::version;
  if (path_and_query == "/containers/json?all=1") return Kind::list;
  if (is_inspection(path_and_query)) return Kind::inspect;
  if (skip(path_and_query, "/events?") && is_events_query(path_and_query)) return Kind::events;
  return std::nullopt;
}

/// What is refused is told, and told to the log: cut, and with nothing in it that a terminal obeys.
std::string shown(std::string_view text) {
  std::string out(text.substr(0, 120));
  std::ranges::replace_if(
      out, [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

template <class... Values>
Error refuse(fmt::format_string<Values...> format, Values&&... values) {
  return fail(Errc::permission, format, std::forward<Values>(values)...);
}

/// The target of "GET TARGET HTTP/1.1".
Result<std::string_view> target_of(std::string_view line) {
  std::string_view rest = line;
  if (!skip(rest, "GET ")) return refuse("only GET is let through, not '{}'", shown(line));
  constexpr std::string_view kVersion = " HTTP/1.1";
  if (!rest.ends_with(kVersion)) return refuse("expected 'GET TARGET HTTP/1.1', not '{}'", shown(line));
  rest.remove_suffix(kVersion.size());
  return rest;
}

/// Headers that change nothing of what is asked, each at most once.
class Headers {
 public:
  Result<void> take(std::string_view line) {
    const std::size_t colon = line.find(':');
    const std::string name = lower_case(line.substr(0, colon));
    const auto* const known = std::ranges::find(kKnown, name);
    if (colon == std::string_view::npos || known == kKnown.end())
      return refuse("header '{}' is not let through", shown(line.substr(0, colon)));
    bool& seen = seen_[static_cast<std::size_t>(known - kKnown.begin())];
    if (std::exchange(seen, true)) return refuse("header '{}' twice", name);
    std::string value = lower_case(line.substr(colon + 1));
    value.erase(0, value.find_first_not_of(' '));
    if (name == "connection" && value != "close" && value != "keep-alive")
      return refuse("Connection: '{}' is not let through", shown(value));
    return {};
  }
  bool has_host() const { return seen_[0]; }

 private:
  static constexpr std::array<std::string_view, 5> kKnown = {"host", "user-agent", "accept",
                                                             "accept-encoding", "connection"};
  std::array<bool, kKnown.size()> seen_{};
};

}  // namespace

Result<Question> question_of(std::string_view target) {
  std::string_view rest = target;
  const std::string_view version = take_api_version(rest);
  const auto kind = kind_of(rest);
  if (!kind) return refuse("'{}' is not on the list of what may be asked", shown(target));
  return Question{*kind, std::string(version) + std::string(rest)};
}

Result<Question> read_question(std::string_view request) {
  const std::size_t end = request.find("\r\n\r\n");
  if (end == std::string_view::npos) return refuse("a request without an end in {} bytes", request.size());
  if (end > kMostHeadBytes) return refuse("a request of more than {} bytes", kMostHeadBytes);
  if (end + 4 != request.size()) return refuse("a body, or a second request, behind the first");
  std::string_view head = request.substr(0, end);
  std::optional<std::string_view> target;
  Headers headers;
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find(kLineEnd));
    head.remove_prefix(std::min(head.size(), line.size() + kLineEnd.size()));
    if (!std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; }))
      return refuse("a line of other than printable ASCII: '{}'", shown(line));
    if (target) {
      if (const auto taken = headers.take(line); !taken) return taken.error();
      continue;
    }
    const auto found = target_of(line);
    if (!found) return found.error();
    target = *found;
  }
  if (!target) return refuse("an empty request");
  if (!headers.has_host()) return refuse("a request without Host");
  return question_of(*target);
}

}  // namespace vigil::agent::docker
