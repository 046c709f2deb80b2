#include "aggregator/actions/run_book.h"

#include "common/text/human.h"

#include <algorithm>

namespace vigil::actions {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;

/// "2026-11-21 14:00:05 UTC"
std::string time_text(std::int64_t t_ms) {
  std::string text = format_rfc3339(t_ms).substr(0, 19);
  text[10] = ' ';
  return text + " UTC";
}

}  // namespace

Run* RunBook::at(const std::string& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second.get();
}

const Run* RunBook::find(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second.get();
}

Result<const Run*> RunBook::find_short(const std::string& id) const {
  const auto first = by_id_.lower_bound(id);
  if (id.empty() || first == by_id_.end() || !first->first.starts_with(id))
    return fail(Errc::not_found, "no run is called {}: `vigil actions log` lists their ids", id);
  const auto second = std::next(first);
  if (first->first != id && second != by_id_.end() && second->first.starts_with(id))
    return fail(Errc::invalid_argument, "{} is the beginning of several runs' ids: write more of it", id);
  return first->second.get();
}

const ActionConfig* RunBook::action(std::string_view name) const {
  const auto found = std::ranges::find(*actions_, name, &ActionConfig::name);
  return found == actions_->end() ? nullptr : &*found;
}

std::size_t RunBook::running(std::string_view action) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      runs_, [&](const auto& run) { return run->state == RunState::running && run->action == action; }));
}

std::vector<Run> RunBook::of_alert(const std::string& fingerprint) const {
  std::vector<Run> out;
  for (const auto& run : runs_) {
    if (run->subject.fingerprint == fingerprint) out.push_back(*run);
  }
  return out;
}

void RunBook::restore(std::vector<Run> runs, std::int64_t now_ms) {
  std::ranges::sort(runs, {}, &Run::number);
  for (Run& run : runs) {
    auto kept = std::make_shared<Run>(std::move(run));
    runs_.push_back(kept);
    by_id_[kept->id] = kept;
    last_number_ = std::max(last_number_, kept->number);
    if (kept->state == RunState::running)
      settle(*kept, RunState::unknown, "the aggregator stopped while it ran", now_ms);
    cancel_orphan(*kept, now_ms);
  }
}

/// What waits for an action that is not there does not begin.
void RunBook::cancel_orphan(Run& run, std::int64_t now_ms) {
  const bool waits = run.state == RunState::needs_approval || run.state == RunState::queued;
  if (waits && action(run.action) == nullptr)
    settle(run, RunState::cancelled, "the action is not configured any more", now_ms);
}

void RunBook::adopt(ActionsPtr actions, std::int64_t now_ms) {
  actions_ = std::move(actions);
  for (const auto& run : runs_) cancel_orphan(*run, now_ms);
}

/// Why it may not begin, or "". What was only noted counts among its like.
std::string RunBook::hindrance(const ActionConfig& action, const std::string& host, bool dry_run,
                               std::int64_t now_ms) const {
  std::size_t within_hour = 0;
  std::int64_t latest_ms = 0;
  for (const auto& run : runs_) {
    const bool counts =
        dry_run ? run->state == RunState::dry_run : run->has_begun() || run->state == RunState::queued;
    if (run->action != action.name || !counts) continue;
    const std::int64_t began_ms = run->has_begun() ? run->started_ms : run->created_ms;
    if (began_ms > now_ms) continue;  // the clock was set back
    if (began_ms > now_ms - kHourMs) ++within_hour;
    if (run->subject.host == host) latest_ms = std::max(latest_ms, began_ms);
  }
  const std::int64_t free_ms = latest_ms + action.cooldown.count();
  if (latest_ms != 0 && now_ms < free_ms)
    return fmt::format("cooldown of {}: it ran at {}", format_duration(action.cooldown),
                       time_text(latest_ms));
  if (action.max_per_hour != 0 && within_hour >= action.max_per_hour)
    return fmt::format("it ran {} within an hour, as often as it may",
                       within_hour == 1 ? "once" : fmt::format("{} times", within_hour));
  return {};
}

Result<Run> RunBook::ask(const Order& order, const std::string& id, std::int64_t now_ms) {
  const ActionConfig* wanted = action(order.action);
  if (wanted == nullptr) return fail(Errc::not_found, "no action is called {}", order.action);
  auto run = std::make_shared<Run>();
  run->id = id;
  run->number = ++last_number_;
  run->action = order.action;
  run->trigger = order.trigger;
  run->subject = order.subject;
  run->author = order.author;
  run->comment = order.comment;
  run->effect = order.effect;
  run->created_ms = now_ms;
  const bool is_dry = wanted->dry_run || order.dry_run;
  const bool lacks_host = !wanted->agent.empty() && order.subject.host.empty();
  const std::string why_not = lacks_host ? "an agent runs it, and no host is named"
                                         : hindrance(*wanted, order.subject.host, is_dry, now_ms);
  runs_.push_back(run);
  by_id_[id] = run;
  changed_.insert(id);
  if (!why_not.empty()) {
    settle(*run, RunState::skipped, why_not, now_ms);
  } else if (is_dry) {
    settle(*run, RunState::dry_run, fmt::format("would run {} {}", kind_of(*wanted), summary_of(*wanted)),
           now_ms);
  } else if (wanted->approval && (order.trigger == Trigger::firing || order.trigger == Trigger::resolved)) {
    run->state = RunState::needs_approval;
  } else {
    run->state = RunState::queued;
  }
  if (runs_.size() > kMostRuns) forget(runs_.size() - kMostRuns);
  return *run;
}

Result<Run> RunBook::decide(const std::string& id, const Decision& decision, std::int64_t now_ms) {
  const auto found = find_short(id);
  if (!found) return found.error();
  Run& run = *at((*found)->id);
  if (run.state != RunState::needs_approval)
    return fail(Errc::conflict, "run {} of {} needs no approval: it is {}", short_id(run), run.action,
                to_string(run.state));
  run.author = decision.author;
  run.comment = decision.comment;
  changed_.insert(run.id);
  if (!decision.approve) {
    settle(run, RunState::rejected, "", now_ms);
    return run;
  }
  // Others may have run meanwhile.
  const std::string why_not = hindrance(*action(run.action), run.subject.host, false, now_ms);
  if (!why_not.empty()) {
    settle(run, RunState::skipped, why_not, now_ms);
  } else {
    run.state = RunState::queued;
  }
  return run;
}

void RunBook::end_alert(const std::string& fingerprint, std::int64_t now_ms) {
  for (const auto& run : runs_) {
    const bool waits = run->state == RunState::needs_approval || run->state == RunState::queued;
    if (waits && run->trigger == Trigger::firing && run->subject.fingerprint == fingerprint)
      settle(*run, RunState::cancelled, "the alert was over before", now_ms);
  }
}

void RunBook::expire(std::int64_t now_ms) {
  for (const auto& run : runs_) {
    if (run->state != RunState::needs_approval) continue;
    const ActionConfig* wanted = action(run->action);
    if (wanted != nullptr && now_ms >= run->created_ms + wanted->approve_within.count())
      settle(*run, RunState::expired,
             fmt::format("nobody approved within {}", format_duration(wanted->approve_within)), now_ms);
  }
  const auto young = std::ranges::find_if(
      runs_, [now_ms](const auto& run) { return run->created_ms >= now_ms - kKeepRunsMs; });
  forget(static_cast<std::size_t>(young - runs_.begin()));
}

/// The oldest go, but those that are not over.
void RunBook::forget(std::size_t count) {
  for (auto next = runs_.begin(); count > 0 && next != runs_.end();) {
    if (!(*next)->is_over()) {
      ++next;
      continue;
    }
    changed_.erase((*next)->id);
    forgotten_.insert((*next)->id);
    by_id_.erase((*next)->id);
    next = runs_.erase(next);
    --count;
  }
}

std::vector<std::string> RunBook::begin_due(std::int64_t now_ms) {
  std::vector<std::string> out;
  std::map<std::string_view, std::size_t> under_way;
  for (const auto& run : runs_) {
    if (run->state == RunState::running) ++under_way[run->action];
  }
  for (const auto& run : runs_) {
    if (run->state != RunState::queued) continue;
    const ActionConfig* wanted = action(run->action);
    if (wanted == nullptr || under_way[run->action] >= wanted->concurrency) continue;
    ++under_way[run->action];
    run->state = RunState::running;
    run->started_ms = now_ms;
    changed_.insert(run->id);
    out.push_back(run->id);
  }
  return out;
}

void RunBook::take_back(const std::string& id) {
  Run* run = at(id);
  if (run == nullptr || run->state != RunState::running) return;
  run->state = RunState::queued;
  run->started_ms = 0;
  changed_.insert(id);
}

const Run* RunBook::end(const std::string& id, Outcome outcome, std::int64_t now_ms) {
  Run* run = at(id);
  if (run == nullptr || run->state != RunState::running) return nullptr;
  const std::string reason = outcome.reason;
  run->outcome = std::move(outcome);
  settle(*run, run->outcome.state, reason, now_ms);
  const ActionConfig* wanted = action(run->action);
  if (!run->effect.empty() && wanted != nullptr) run->measure_at_ms = now_ms + wanted->effect_after.count();
  return run;
}

void RunBook::settle(Run& run, RunState state, std::string reason, std::int64_t now_ms) {
  run.state = state;
  run.reason = std::move(reason);
  run.ended_ms = now_ms;
  changed_.insert(run.id);
}

std::vector<std::string> RunBook::measurable(std::int64_t now_ms) const {
  std::vector<std::string> out;
  for (const auto& run : runs_) {
    if (run->measure_at_ms != 0 && !run->is_measured && now_ms >= run->measure_at_ms) out.push_back(run->id);
  }
  return out;
}

void RunBook::note_before(const std::string& id, std::optional<double> value) {
  if (Run* run = at(id)) run->before = value;
}

void RunBook::note_after(const std::string& id, std::optional<double> value) {
  Run* run = at(id);
  if (run == nullptr) return;
  run->after = value;
  run->is_measured = true;
  changed_.insert(id);
}

std::set<std::string> RunBook::take_changed() {
  return std::exchange(changed_, {});
}
std::set<std::string> RunBook::take_forgotten() {
  return std::exchange(forgotten_, {});
}

}  // namespace vigil::actions
