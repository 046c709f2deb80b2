#include "aggregator/serve/silence_messages.h"

#include "aggregator/calendar/zones.h"

#include <chrono>

namespace vigil::aggregator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kForEver = 253'402'300'799'000;  // the end of the year 9999

/// The times it comes again at; its begin is on the clock of the zone.
Result<calendar::RecurringWindow> window_from(const v1::Silence& wanted, std::int64_t starts_ms) {
  calendar::Zones zones;
  const auto zone = zones.find(wanted.zone().empty() ? "Local" : wanted.zone());
  if (!zone) return zone.error();
  auto recurrence = calendar::parse_recurrence(wanted.recurrence());
  if (!recurrence) return recurrence.error();
  const auto begin = calendar::sys_seconds(std::chrono::floor<seconds>(milliseconds(starts_ms)));
  return calendar::RecurringWindow::create((*zone)->to_local(begin),
                                           std::chrono::floor<seconds>(milliseconds(wanted.length_ms())),
                                           *zone, std::move(*recurrence));
}

Result<matchers::Matchers> matchers_from(const v1::Silence& wanted) {
  matchers::Matchers out;
  for (const std::string& text : wanted.matchers()) {
    auto parsed = matchers::parse_matchers(text);
    if (!parsed) return fail(Errc::invalid_argument, "matcher {}: {}", text, parsed.error().message);
    for (auto& matcher : parsed->matchers) out.push_back(std::move(matcher));
  }
  return out;
}

}  // namespace

void put_silence(const silences::Silence& silence, std::int64_t now_ms, v1::Silence& out) {
  out.set_id(silence.id);
  for (const auto& matcher : silence.matchers) out.add_matchers(matchers::to_string(matcher));
  out.set_starts_ms(silence.starts_ms);
  out.set_ends_ms(silence.ends_ms);
  out.set_author(silence.author);
  out.set_comment(silence.comment);
  out.set_updated_ms(silence.updated_ms);
  out.set_state(std::string(silences::to_string(silence.state_at(now_ms))));
  if (!silence.window) return;
  out.set_recurrence(calendar::to_string(silence.window->recurrence()));
  out.set_zone(silence.window->zone().name());
  out.set_length_ms(milliseconds(silence.window->length()).count());
}

Result<silences::Silence> silence_from(const v1::Silence& wanted, std::int64_t now_ms) {
  silences::Silence silence;
  silence.id = wanted.id();
  auto matchers = matchers_from(wanted);
  if (!matchers) return matchers.error();
  silence.matchers = std::move(*matchers);
  silence.starts_ms = wanted.starts_ms() == 0 ? now_ms : wanted.starts_ms();
  silence.ends_ms = wanted.ends_ms();
  silence.author = wanted.author();
  silence.comment = wanted.comment();
  if (wanted.recurrence().empty()) return silence;
  auto window = window_from(wanted, silence.starts_ms);
  if (!window) return window.error();
  silence.window = std::move(*window);
  if (silence.ends_ms == 0) silence.ends_ms = kForEver;
  return silence;
}

}  // namespace vigil::aggregator
