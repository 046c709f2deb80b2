#include "aggregator/actions/run_book.h"

#include "common/text/human.h"

#include <algorithm>
#include <utility>

namespace vigil::actions {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kLongestAbsenceMs = 300'000;

/// "2026-11-21 14:00:05 UTC"
std::string time_text(std::int64_t t_ms) {
  std::string text = format_rfc3339(t_ms).substr(0, 19);
  text[10] = ' ';
  return text + " UTC";
}

bool is_waiting(const Run& run) {
  return run.state == RunState::needs_approval || run.state == RunState::queued;
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

Result<Run*> RunBook::find_short(const std::string& id) {
  const auto first = by_id_.lower_bound(id);
  if (id.empty() || first == by_id_.end() || !first->first.starts_with(id))
    return fail(Errc::not_found, "no run is called {}: `vigil actions log` lists their ids", id);
  const auto second = std::next(first);
  if (first->first != id && second != by_id_.end() && second->first.starts_with(id))
    return fail(Errc::invalid_argument, "{} is the beginning of several runs' ids: write more of it", id);
  return first->second.get();
}

std::vector<Run> RunBook::select(const RunQuery& query) const {
  std::vector<Run> out;
  for (auto at = runs_.rbegin(); at != runs_.rend() && out.size() < query.limit; ++at) {
    const RunPtr& run = *at;
    const bool is_meant = (query.action.empty() || run->action == query.action) &&
                          run->id.starts_with(query.id) &&
                          (query.fingerprint.empty() || run->subject.fingerprint == query.fingerprint) &&
                          (!query.waiting || run->state == RunState::needs_approval);
    if (is_meant) out.push_back(*run);
  }
  return out;
}

std::vector<const Run*> RunBook::of_alert(const std::string& fingerprint) const {
  std::vector<const Run*> out;
  const auto found = by_alert_.find(fingerprint);
  if (found == by_alert_.end()) return out;
  for (const RunPtr& run : found->second) out.push_back(run.get());
  return out;
}

std::map<std::string, RunFigures> RunBook::figures() const {
  std::map<std::string, RunFigures> out;
  for (const RunPtr& run : runs_) {
    RunFigures& figures = out[run->action];
    figures.succeeded += run->state == RunState::succeeded ? 1 : 0;
    figures.failed += run->state == RunState::failed || run->state == RunState::unknown ? 1 : 0;
    figures.skipped += run->state == RunState::skipped ? 1 : 0;
    figures.needing_approval += run->state == RunState::needs_approval ? 1 : 0;
    if (!run->has_begun()) continue;
    ++figures.begun;
    figures.last_started_ms = std::max(figures.last_started_ms, run->started_ms);
  }
  return out;
}

const ActionConfig* RunBook::action(std::string_view name) const {
  const auto found = std::ranges::find(*actions_, name, &ActionConfig::name);
  return found == actions_->end() ? nullptr : &*found;
}

void RunBook::add(const RunPtr& run) {
  runs_.push_back(run);
  by_id_[run->id] = run;
  if (!run->subject.fingerprint.empty()) by_alert_[run->subject.fingerprint].push_back(run);
  if (!run->is_over()) open_[run->number] = run;
  if (run->measure_at_ms != 0 && !run->is_measured) unmeasured_.insert(run->id);
}

/// Counts it in, or out.
void RunBook::count(const Run& run, int by) {
  Tally& tally = tallies_[run.action];
  if (run.state == RunState::running) tally.running += by;
  if (run.state != RunState::queued) return;
  tally.all_queued += by;
  if ((tally.queued[run.subject.host] += by) == 0) tally.queued.erase(run.subject.host);
}

/// The one place where a state changes: what is counted follows it.
void RunBook::set_state(Run& run, RunState state) {
  count(run, -1);
  run.state = state;
  count(run, 1);
  if (run.is_over()) open_.erase(run.number);
  changed_.insert(run.id);
}

void RunBook::settle(Run& run, RunState state, std::string reason, std::int64_t now_ms) {
  set_state(run, state);
  run.reason = std::move(reason);
  run.ended_ms = now_ms;
}

void RunBook::note_begun(Tally& tally, const std::string& host, std::int64_t at_ms) {
  tally.begun_ms.push_back(at_ms);
  std::int64_t& latest = tally.latest_ms[host];
  latest = std::max(latest, at_ms);
}

/// The clock was set back: what ran at a time to come has run just now, for a cooldown must not last until
/// then.
void RunBook::look_at_clock(std::int64_t now_ms) {
  const bool is_back = now_ms < std::exchange(seen_ms_, now_ms);
  if (!is_back) return;
  for (auto* tallies : {&tallies_, &dry_tallies_}) {
    for (auto& [name, tally] : *tallies) {
      for (std::int64_t& begun_ms : tally.begun_ms) begun_ms = std::min(begun_ms, now_ms);
      for (auto& [host, latest_ms] : tally.latest_ms) latest_ms = std::min(latest_ms, now_ms);
    }
  }
}

void RunBook::restore(std::vector<Run> runs, std::int64_t now_ms) {
  std::ranges::sort(runs, {}, &Run::number);
  for (Run& run : runs) {
    const auto kept = std::make_shared<Run>(std::move(run));
    last_number_ = std::max(last_number_, kept->number);
    add(kept);
    count(*kept, 1);
    // Of the future: it ran while the clock was ahead, nobody knows when.
    if (kept->has_begun() && kept->started_ms <= now_ms)
      note_begun(tallies_[kept->action], kept->subject.host, kept->started_ms);
    if (kept->state == RunState::dry_run && kept->created_ms <= now_ms)
      note_begun(dry_tallies_[kept->action], kept->subject.host, kept->created_ms);
    if (kept->state == RunState::running)
      settle(*kept, RunState::unknown, "the aggregator stopped while it ran", now_ms);
    // Nobody has looked at its alert meanwhile.
    if (kept->state == RunState::queued && now_ms - kept->created_ms >= kLongestAbsenceMs)
      settle(*kept, RunState::cancelled, "the aggregator was away for too long", now_ms);
    cancel_orphan(*kept, now_ms);
  }
}

/// What waits for an action that is not there does not begin.
void RunBook::cancel_orphan(Run& run, std::int64_t now_ms) {
  if (is_waiting(run) && action(run.action) == nullptr)
    settle(run, RunState::cancelled, "the action is not configured any more", now_ms);
}

void RunBook::adopt(ActionsPtr actions, std::int64_t now_ms) {
  actions_ = std::move(actions);
  for (const auto& [number, run] : std::map(open_)) cancel_orphan(*run, now_ms);
}

/// Why it may not begin, or "". What waits for others counts as begun.
std::string RunBook::hindrance(const ActionConfig& action, const std::string& host, bool among_dry,
                               std::int64_t now_ms) {
  look_at_clock(now_ms);
  Tally& tally = (among_dry ? dry_tallies_ : tallies_)[action.name];
  while (!tally.begun_ms.empty() && tally.begun_ms.front() <= now_ms - kHourMs) tally.begun_ms.pop_front();
  if (action.cooldown.count() > 0) {
    if (tally.queued.contains(host)) return "one for this host waits already";
    const auto latest = tally.latest_ms.find(host);
    if (latest != tally.latest_ms.end() && now_ms < latest->second + action.cooldown.count())
      return fmt::format("cooldown of {}: it {} at {}", format_duration(action.cooldown),
                         among_dry ? "would have run" : "ran", time_text(latest->second));
  }
  const std::size_t within_hour = tally.begun_ms.size() + static_cast<std::size_t>(tally.all_queued);
  if (action.max_per_hour != 0 && within_hour >= action.max_per_hour)
    return fmt::format("it {} {} within an hour, as often as it may", among_dry ? "would have run" : "ran",
                       within_hour == 1 ? "once" : fmt::format("{} times", within_hour));
  return {};
}

Result<Run> RunBook::ask(const Order& order, const std::string& id, std::int64_t now_ms) {
  const ActionConfig* wanted = action(order.action);
  if (wanted == nullptr) return fail(Errc::not_found, "no action is called {}", order.action);
  const auto run = std::make_shared<Run>();
  run->id = id;
  run->number = ++last_number_;
  run->action = order.action;
  run->trigger = order.trigger;
  run->subject = order.subject;
  run->author = order.author;
  run->comment = order.comment;
  run->effect = order.effect;
  run->created_ms = now_ms;
  run->state = RunState::needs_approval;  // counted nowhere
  add(run);
  const bool is_dry = wanted->dry_run || order.dry_run;
  const bool lacks_host = !wanted->agent.empty() && order.subject.host.empty();
  const std::string why_not = lacks_host ? "an agent runs it, and no host is named"
                                         : hindrance(*wanted, order.subject.host, wanted->dry_run, now_ms);
  const bool asks_nobody = order.trigger == Trigger::manual || order.trigger == Trigger::maintenance;
  if (!why_not.empty()) {
    settle(*run, RunState::skipped, why_not, now_ms);
  } else if (is_dry) {
    settle(*run, RunState::dry_run, fmt::format("would run {} {}", kind_of(*wanted), summary_of(*wanted)),
           now_ms);
    note_begun(dry_tallies_[run->action], run->subject.host, now_ms);
  } else {
    set_state(*run, wanted->approval && !asks_nobody ? RunState::needs_approval : RunState::queued);
  }
  if (runs_.size() > kMostRuns) {
    // A tenth at once: each removal moves the rest.
    const auto is_older = [&run](const Run& other) { return &other != run.get(); };
    forget([&](const Run& old) { return is_older(old) && !old.has_begun(); }, kMostRuns / 10);
    if (runs_.size() > kMostRuns) forget(is_older, kMostRuns / 10);
  }
  return *run;
}

Result<Run> RunBook::decide(const std::string& id, const Decision& decision, std::int64_t now_ms) {
  const auto found = find_short(id);
  if (!found) return found.error();
  Run& run = **found;
  if (run.state != RunState::needs_approval)
    return fail(Errc::conflict, "run {} of {} needs no approval: it is {}", short_id(run), run.action,
                to_string(run.state));
  run.author = decision.author;
  run.comment = decision.comment;
  // Others may have run meanwhile.
  const std::string why_not =
      decision.approve ? hindrance(*action(run.action), run.subject.host, false, now_ms) : std::string();
  if (!decision.approve) {
    settle(run, RunState::rejected, "", now_ms);
  } else if (!why_not.empty()) {
    settle(run, RunState::skipped, why_not, now_ms);
  } else {
    set_state(run, RunState::queued);
  }
  return run;
}

void RunBook::undo_ask(const std::string& id, std::int64_t now_ms) {
  Run* run = at(id);
  if (run != nullptr && is_waiting(*run)) settle(*run, RunState::cancelled, "it could not be stored", now_ms);
}

void RunBook::undo_decision(const std::string& id) {
  Run* run = at(id);
  if (run == nullptr || run->has_begun()) return;
  set_state(*run, RunState::needs_approval);
  open_[run->number] = by_id_.find(id)->second;
  run->author.clear();
  run->comment.clear();
  run->reason.clear();
  run->ended_ms = 0;
}

void RunBook::end_waiting(const std::string& fingerprint, Trigger trigger, std::int64_t now_ms) {
  const auto found = by_alert_.find(fingerprint);
  if (found == by_alert_.end()) return;
  for (const RunPtr& run : found->second) {
    if (is_waiting(*run) && run->trigger == trigger)
      settle(*run, RunState::cancelled,
             trigger == Trigger::firing ? "the alert was over before" : "the alert fires again", now_ms);
  }
}

void RunBook::expire(std::int64_t now_ms) {
  look_at_clock(now_ms);
  for (const auto& [number, run] : std::map(open_)) {
    const ActionConfig* wanted = action(run->action);
    if (wanted == nullptr) continue;
    const std::int64_t waited_ms = now_ms - run->created_ms;
    if (run->state == RunState::needs_approval && waited_ms >= wanted->approve_within.count()) {
      settle(*run, RunState::expired,
             fmt::format("nobody approved within {}", format_duration(wanted->approve_within)), now_ms);
    } else if (run->state == RunState::queued &&
               waited_ms >= kLongestWaitMs + (wanted->approval ? wanted->approve_within.count() : 0)) {
      settle(*run, RunState::cancelled, "it waited for more than an hour", now_ms);
    }
  }
  if (runs_.empty() || runs_.front()->created_ms >= now_ms - kKeepRunsMs) return;
  forget([now_ms](const Run& run) { return run.created_ms < now_ms - kKeepRunsMs; }, runs_.size());
}

bool RunBook::may_forget(const Run& run) {
  return run.is_over() && (run.measure_at_ms == 0 || run.is_measured);
}

/// The oldest `most` that are meant.
void RunBook::forget(const std::function<bool(const Run&)>& is_meant, std::size_t most) {
  std::erase_if(runs_, [&](const RunPtr& run) {
    if (most == 0 || !may_forget(*run) || !is_meant(*run)) return false;
    --most;
    changed_.erase(run->id);
    forgotten_.insert(run->id);
    by_id_.erase(run->id);
    if (const auto of_alert = by_alert_.find(run->subject.fingerprint); of_alert != by_alert_.end()) {
      std::erase(of_alert->second, run);
      if (of_alert->second.empty()) by_alert_.erase(of_alert);
    }
    return true;
  });
}

std::vector<std::string> RunBook::begin_due(std::int64_t now_ms) {
  std::vector<std::string> out;
  for (const auto& [number, run] : open_) {
    if (run->state != RunState::queued) continue;
    const ActionConfig* wanted = action(run->action);
    if (wanted == nullptr || tallies_[run->action].running >= static_cast<int>(wanted->concurrency)) continue;
    set_state(*run, RunState::running);
    run->started_ms = now_ms;
    note_begun(tallies_[run->action], run->subject.host, now_ms);
    out.push_back(run->id);
  }
  return out;
}

/// It did not begin after all.
void RunBook::forget_begun(const Run& run) {
  Tally& tally = tallies_[run.action];
  const auto begun = std::ranges::find(tally.begun_ms, run.started_ms);
  if (begun != tally.begun_ms.end()) tally.begun_ms.erase(begun);
  tally.latest_ms.erase(run.subject.host);
  for (const RunPtr& other : runs_) {
    if (other.get() != &run && other->action == run.action && other->subject.host == run.subject.host &&
        other->has_begun())
      tally.latest_ms[run.subject.host] =
          std::min(other->started_ms, seen_ms_);  // the last one is the latest
  }
}

void RunBook::take_back(const std::string& id) {
  Run* run = at(id);
  if (run == nullptr || run->state != RunState::running) return;
  forget_begun(*run);
  set_state(*run, RunState::queued);
  run->started_ms = 0;
}

const Run* RunBook::end(const std::string& id, Outcome outcome, std::int64_t now_ms) {
  Run* run = at(id);
  const bool is_open = run != nullptr && (run->state == RunState::running ||
                                          (run->state == RunState::unknown && run->has_begun()));
  if (!is_open) return nullptr;
  const std::string reason = outcome.reason;
  run->outcome = std::move(outcome);
  if (run->outcome.has_not_begun) {
    forget_begun(*run);
    run->started_ms = 0;
  }
  settle(*run, run->outcome.state, reason, now_ms);
  const ActionConfig* wanted = action(run->action);
  if (run->effect.empty() || wanted == nullptr || !run->has_begun()) return run;
  run->measure_at_ms = now_ms + wanted->effect_after.count();
  unmeasured_.insert(id);
  return run;
}

std::vector<std::string> RunBook::measurable(std::int64_t now_ms, std::size_t most) const {
  std::vector<std::string> out;
  for (const std::string& id : unmeasured_) {
    const Run* run = find(id);
    if (run != nullptr && now_ms >= run->measure_at_ms && out.size() < most) out.push_back(id);
  }
  return out;
}

void RunBook::note_before(const std::string& id, std::optional<double> value) {
  if (Run* run = at(id)) run->before = value;
}

void RunBook::note_after(const std::string& id, std::optional<double> value) {
  unmeasured_.erase(id);
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
