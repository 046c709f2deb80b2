#include "aggregator/serve/silence_messages.h"

#include "aggregator/calendar/zones.h"

#include <chrono>

namespace vigil::aggregator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The times it comes again at; their begin is on the clock of the zone.
Result<calendar::RecurringWindow> window_from(const v1::Silence& wanted, std::int64_t starts_ms) {
  calendar::Zones zones;
  const auto zone = zones.find(wanted.zone().empty() ? "Local" : wanted.zone());
  if (!zone) return zone.error();
  auto recurrence = calendar::parse_recurrence(wanted.recurrence());
  if (!recurrence) return recurrence.error();
  const auto instant = calendar::sys_seconds(std::chrono::floor<seconds>(milliseconds(starts_ms)));
  const auto begin = wanted.local_start_s() != 0 ? calendar::local_seconds(seconds(wanted.local_start_s()))
                                                 : (*zone)->to_local(instant);
  return calendar::RecurringWindow::create(
      begin, std::chrono::floor<seconds>(milliseconds(wanted.length_ms())), *zone, std::move(*recurrence));
}

Result<matchers::Matchers> matchers_from(const v1::Silence& wanted) {
  matchers::Matchers out;
  for (const std::string& text : wanted.matchers()) {
    auto parsed = matchers::parse_matchers(text);
    if (!parsed) return fail(Errc::invalid_argument, "matcher {}: {}", text, parsed.error().message);
    for (auto& matcher : parsed->matchers) out.push_back(std::move(matcher));
    if (out.size() > silences::kMostMatchers) break;  // check() refuses it
  }
  return out;
}

void put_maintenance(const silences::Silence& silence, v1::Maintenance& out) {
  const silences::MaintenancePlan& plan = *silence.maintenance;
  out.set_title(plan.title);
  out.set_impact(plan.impact);
  for (const std::string& name : plan.receivers) out.add_receivers(name);
  for (const milliseconds notice : plan.notices) out.add_notices_ms(notice.count());
  const auto put_checks = [](const auto& checks, auto& to) {
    for (const silences::MaintenanceCheck& check : checks) {
      auto& added = *to.Add();
      added.set_name(check.name);
      added.set_expr(check.expr);
    }
  };
  put_checks(plan.before, *out.mutable_before());
  put_checks(plan.after, *out.mutable_after());
  for (const std::string& name : plan.run_before) out.add_run_before(name);
  for (const std::string& name : plan.run_after) out.add_run_after(name);
  const silences::MaintenanceProgress& done = silence.progress;
  out.set_phase(done.ended ? "ended" : done.begun ? "begun" : done.noticed_ms != 0 ? "announced" : "planned");
}

silences::MaintenancePlan plan_from(const v1::Maintenance& wanted) {
  silences::MaintenancePlan plan;
  plan.title = wanted.title();
  plan.impact = wanted.impact();
  plan.receivers.assign(wanted.receivers().begin(), wanted.receivers().end());
  for (const std::int64_t notice_ms : wanted.notices_ms()) plan.notices.emplace_back(notice_ms);
  for (const auto& check : wanted.before()) plan.before.push_back({check.name(), check.expr()});
  for (const auto& check : wanted.after()) plan.after.push_back({check.name(), check.expr()});
  plan.run_before.assign(wanted.run_before().begin(), wanted.run_before().end());
  plan.run_after.assign(wanted.run_after().begin(), wanted.run_after().end());
  return plan;
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
  if (silence.maintenance) put_maintenance(silence, *out.mutable_maintenance());
  if (!silence.window) return;
  out.set_recurrence(calendar::to_string(silence.window->recurrence()));
  out.set_zone(silence.window->zone().name());
  out.set_length_ms(milliseconds(silence.window->length()).count());
  out.set_local_start_s(silence.window->start().time_since_epoch().count());
  if (const auto next = silence.time_at(now_ms)) {
    out.set_next_starts_ms(next->begin_ms);
    out.set_next_ends_ms(next->end_ms);
  }
}

Result<silences::Silence> silence_from(const v1::Silence& wanted, std::int64_t now_ms) {
  silences::Silence silence;
  silence.id = wanted.id();
  auto matchers = matchers_from(wanted);
  if (!matchers) return matchers.error();
  silence.matchers = std::move(*matchers);
  silence.starts_ms = wanted.starts_ms() == 0 ? now_ms : wanted.starts_ms();
  silence.ends_ms = wanted.ends_ms();
  for (const std::int64_t t_ms : {silence.starts_ms, silence.ends_ms}) {
    if (t_ms < 0 || t_ms > silences::kLatestMs)
      return fail(Errc::invalid_argument, "a silence lies in the years 1970 to 9999");
  }
  silence.author = wanted.author();
  silence.comment = wanted.comment();
  if (wanted.has_maintenance()) silence.maintenance = plan_from(wanted.maintenance());
  if (wanted.recurrence().empty()) {
    if (wanted.length_ms() != 0) {
      constexpr std::int64_t kMostMs = 100LL * 365 * 86'400'000;
      if (wanted.length_ms() < 0 || wanted.length_ms() > kMostMs)
        return fail(Errc::invalid_argument, "a silence is longer than nothing and shorter than 100 years");
      silence.ends_ms = silence.starts_ms + wanted.length_ms();
    }
    return silence;
  }
  constexpr int kMostTimes = 1000;  // they are counted at each look
  auto window = window_from(wanted, silence.starts_ms);
  if (!window) return window.error();
  if (window->recurrence().count > kMostTimes)
    return fail(Errc::invalid_argument, "COUNT is at most {}; write UNTIL", kMostTimes);
  silence.window = std::move(*window);
  if (silence.ends_ms == 0) silence.ends_ms = silences::kLatestMs;
  return silence;
}

}  // namespace vigil::aggregator
