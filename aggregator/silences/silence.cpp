#include "aggregator/silences/silence.h"

#include <algorithm>

namespace vigil::silences {
namespace {

using std::chrono::milliseconds;

constexpr std::ptrdiff_t kMostRegexes = 8;
constexpr std::size_t kMostBytes = 4096;

bool has_control(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F; });
}

calendar::sys_seconds seconds_of(std::int64_t t_ms) {
  return calendar::sys_seconds(std::chrono::floor<std::chrono::seconds>(milliseconds(t_ms)));
}

std::int64_t milliseconds_of(calendar::sys_seconds t) {
  return milliseconds(t.time_since_epoch()).count();
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::pending:
      return "pending";
    case State::active:
      return "active";
    case State::expired:
      break;
  }
  return "expired";
}

State Silence::state_at(std::int64_t t_ms) const {
  if (t_ms >= ends_ms) return State::expired;
  if (t_ms < starts_ms) return State::pending;
  if (!window || window->at(seconds_of(t_ms))) return State::active;
  return window->next(seconds_of(t_ms)) ? State::pending : State::expired;
}

bool Silence::mutes(const Labels& labels, std::int64_t t_ms) const {
  return matchers::matches(matchers, labels) && state_at(t_ms) == State::active;
}

std::optional<Silence::Time> Silence::time_at(std::int64_t t_ms) const {
  if (t_ms >= ends_ms) return std::nullopt;
  if (!window) return Time{starts_ms, ends_ms};
  const auto from = seconds_of(std::max(t_ms, starts_ms));
  auto span = window->at(from);
  if (!span) span = window->next(from);
  if (!span || milliseconds_of(span->begin) >= ends_ms) return std::nullopt;
  return Time{std::max(milliseconds_of(span->begin), starts_ms),
              std::min(milliseconds_of(span->end), ends_ms)};
}

std::optional<std::int64_t> Silence::next_change_ms(std::int64_t t_ms) const {
  const State now = state_at(t_ms);
  if (now == State::expired) return std::nullopt;
  if (!window) return now == State::pending ? starts_ms : ends_ms;
  if (now == State::pending) {
    const auto from = seconds_of(std::max(t_ms, starts_ms));
    const auto next = window->next(from);
    if (t_ms < starts_ms && (window->at(from) || !next)) return starts_ms;
    return std::min(ends_ms, milliseconds_of(next->begin));
  }
  // Times that touch or overlap are one: it ends with the last of them. Ten years of them are as good as for
  // ever.
  auto end = window->at(seconds_of(t_ms))->end;
  const auto far = end + std::chrono::days(3653);
  for (auto further = window->at(end); further && end < far; further = window->at(end)) end = further->end;
  return std::min(ends_ms, milliseconds_of(end));
}

Result<void> check(const Silence& silence) {
  const auto is_regex = [](const auto& matcher) {
    return matcher.op() == promql::MatchOp::regex || matcher.op() == promql::MatchOp::not_regex;
  };
  if (std::ranges::count_if(silence.matchers, is_regex) > kMostRegexes)
    return fail(Errc::invalid_argument, "a silence has at most {} regular expressions", kMostRegexes);
  const bool is_large =
      silence.matchers.size() > kMostMatchers || matchers::to_string(silence.matchers).size() > kMostBytes;
  if (is_large) {
    return fail(Errc::invalid_argument, "the matchers of a silence are at most {} and take at most {} bytes",
                kMostMatchers, kMostBytes);
  }
  if (silence.author.size() > kMostBytes || silence.comment.size() > kMostBytes)
    return fail(Errc::invalid_argument, "author and comment of a silence take at most {} bytes each",
                kMostBytes);
  if (silence.matchers.empty())
    return fail(Errc::invalid_argument, "a silence needs a matcher, such as alertname=\"HostDown\"");
  const bool matches_nothing_said = std::all_of(silence.matchers.begin(), silence.matchers.end(),
                                                [](const auto& matcher) { return matcher.matches(""); });
  if (matches_nothing_said) {
    return fail(Errc::invalid_argument,
                "{} matches also alerts without these labels; at least one matcher must not",
                matchers::to_string(silence.matchers));
  }
  // Both grammars of matchers have no way to write them.
  if (std::ranges::any_of(silence.matchers, [](const auto& matcher) { return has_control(matcher.value()); }))
    return fail(Errc::invalid_argument, "a matcher's value has control characters");
  if (silence.ends_ms > kLatestMs)
    return fail(Errc::invalid_argument, "a silence ends before the year 10000");
  if (silence.ends_ms <= silence.starts_ms)
    return fail(Errc::invalid_argument, "a silence ends after it starts");
  if (silence.maintenance) {
    if (auto fine = check(*silence.maintenance); !fine) return fine;
  }
  if (silence.author.empty())
    return fail(Errc::invalid_argument, "a silence needs an author: who answers for it");
  if (silence.comment.empty())
    return fail(Errc::invalid_argument, "a silence needs a comment: why there is one");
  return {};
}

}  // namespace vigil::silences
