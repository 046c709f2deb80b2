#include "aggregator/alerts/service.h"

#include "aggregator/alerts/messages.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::alerts {
namespace {

void log_alert(log::Level level, std::string_view what, const Alert& alert) {
  log::write(level, "alerts", what,
             {{"alert", alert.labels.get("alertname")},
              {"severity", alert.severity()},
              {"instance", alert.instance()},
              {"value", alert.value},
              {"id", alert.fingerprint}});
}

using rules::Evaluation;

constexpr std::int64_t kShowResolvedMs = 900'000;
constexpr std::int64_t kHistoryMs = 90LL * 86'400'000;
constexpr std::int64_t kUpkeepMs = 60'000;
constexpr std::int64_t kForgottenMs = 300'000;  // longer than any evaluation is under way

/// A rule that exists no more, so that its alert can be ended properly.
rules::RulePtr stub_rule(const StoredAlert& stored) {
  auto rule = std::make_shared<rules::Rule>();
  rule->key = stored.rule_key;
  rule->name = stored.alert.labels.get("alertname");
  rule->group = stored.rule_key.substr(0, stored.rule_key.find('/'));
  return rule;
}

}  // namespace

Alert Service::with_rule(StoredAlert stored) const {
  const rules::RulePtr rule = rules_->find(stored.rule_key);
  stored.alert.rule = rule ? rule : stub_rule(stored);
  return std::move(stored.alert);
}

/// Those that are listed still.
Result<void> Service::restore_resolved() {
  const std::int64_t now = options_.now_ms();
  auto ended = store_.ended_since(now - kShowResolvedMs);
  if (!ended) return ended.error();
  for (StoredAlert& stored : *ended) {
    if (stored.alert.resolved_at_ms <= now) resolved_.push_back(to_info(with_rule(std::move(stored))));
  }
  return {};
}

Result<void> Service::restore() {
  auto stored = store_.alerts();
  if (!stored) return stored.error();
  auto known = std::make_shared<rules::KnownAlerts>();
  for (StoredAlert& entry : *stored) {
    Alert& alert = entry.alert;
    const rules::RulePtr rule = rules_->find(entry.rule_key);
    alert.rule = rule ? rule : stub_rule(entry);
    if (rule)
      (*known)[{rule->key, scope_in(*rule, alert)}].push_back(
          {alert.series, alert.state == State::firing, alert.value});
    if (alert.state == State::firing && !alert.announced) unannounced_.insert(alert.fingerprint);
    if (alert.state == State::firing && alert.calmed) calmed_.insert(alert.fingerprint);
    book_.restore(std::move(alert));
  }
  known_ = std::move(known);
  if (auto restored = restore_changes(); !restored) return restored;
  if (auto restored = restore_resolved(); !restored) return restored;
  if (auto restored = silencing_.restore(); !restored) return restored;
  if (auto restored = acting_.restore(store_, options_.now_ms()); !restored) return restored;
  const auto groups = store_.groups();
  if (!groups) return groups.error();
  grouping_.restore(*groups);
  if (const std::size_t rows =
          store_.damaged() + silencing_.damaged() + grouping_.damaged() + acting_.damaged();
      rows > 0)
    log::error("alerts", "rows of meta.db could not be read and are left out", {{"rows", rows}});
  return {};
}

/// What rules that look for flapping would remember.
Result<void> Service::restore_changes() {
  const std::int64_t longest = longest_flapping(*rules_).count();
  if (longest == 0) return {};
  book_.for_each([this](const Alert& alert) {
    if (alert.state == State::firing && alert.flapping_since_ms == 0)
      book_.restore_change(fingerprint(alert.rule->key, *alert.series), alert.fired_at_ms);
  });
  return store_.each_ended(options_.now_ms() - longest, [this](const EndedAlert& ended) {
    const rules::RulePtr rule = rules_->find(ended.rule_key);
    if (!rule || !rule->extras.flapping) return;
    const std::string series = fingerprint(ended.rule_key, ended.series);
    book_.restore_change(series, ended.fired_at_ms);
    book_.restore_change(series, ended.resolved_at_ms);
  });
}

void Service::start() {
  started_ms_ = options_.now_ms();
  if (notifier_ != nullptr) {
    auto threads = store_.threads();  // before the messages that go on from them
    if (threads) {
      notifier_->remember(std::move(*threads));
    } else {
      log::error("alerts", "cannot read the threads of messages", {{"error", threads.error()}});
    }
    const auto losses = store_.given_up();
    if (losses) {
      notifier_->recall(*losses);
    } else {
      log::error("alerts", "cannot count the messages that were given up", {{"error", losses.error()}});
    }
    auto queued = store_.queued();
    if (queued) {
      notifier_->enqueue(std::move(*queued));
    } else {
      log::error("alerts", "cannot read the outbox", {{"error", queued.error()}});
    }
  }
  worker_.post([this] {
    Transitions gone;
    {
      const std::lock_guard lock(mutex_);
      grouping_.join(book_, options_.now_ms());
      gone = book_.adopt(*rules_, options_.now_ms());
    }
    settle(gone);
  });
  worker_.every(std::chrono::seconds(1), [this] { beat(); });
  worker_.every(std::chrono::seconds(10), [this] { keep_clocks(Clocks::that_decide); });
  worker_.start();
}

void Service::stop() {
  worker_.stop();
  keep_clocks(Clocks::all);  // the worker is gone: its state is ours
  static_cast<void>(store_.checkpoint());
}

void Service::take(Evaluation evaluation) {
  if (inbox_.put(std::move(evaluation))) worker_.post([this] { drain(); });
}

/// A rule that looks at the whole fleet may have seen a host just before it was forgotten: what it says of it
/// would be an alert that nothing ever ends.
void Service::drop_forgotten(Evaluation& evaluation) const {
  if (forgotten_.empty()) return;
  std::erase_if(evaluation.active, [&](const rules::ActiveSample& sample) {
    const auto found = forgotten_.find(sample.labels->get("instance"));
    return found != forgotten_.end() && evaluation.t_ms <= found->second;
  });
}

void Service::drain() {
  std::vector<Evaluation> batch = inbox_.take();
  Transitions all;
  {
    const std::lock_guard lock(mutex_);
    for (Evaluation& evaluation : batch) {
      drop_forgotten(evaluation);
      // One of an older rule set may still be under way when its rule is no more.
      if (!live_rules_.contains(evaluation.rule.get())) {
        const rules::RulePtr today = rules_->find(evaluation.rule->key);
        if (!today || !has_scope_of(*today, evaluation.scope)) continue;
        evaluation.rule = today;  // an alert it begins is to have its texts and times
      }
      for (Transition& transition : book_.apply(evaluation)) all.push_back(std::move(transition));
    }
    counters_.evaluations += batch.size();
  }
  settle(all);
}

void Service::beat() {
  const std::int64_t now = options_.now_ms();
  const bool clock_went_back = now < last_beat_ms_;
  last_beat_ms_ = now;
  Transitions expired;
  {
    const std::lock_guard lock(mutex_);
    if (clock_went_back) grouping_.forget_future(now);
    expired = book_.expire(now);
    while (!resolved_.empty() && resolved_.front().resolved_at_ms < now - kShowResolvedMs)
      resolved_.pop_front();
  }
  evidence_.begin();
  settle(expired);
  maintain();  // its digest sees what has just ended
  announce();  // what a silence held back that is over
  escalate();
  acting_.step(now);
  tell_groups();
  commit();
  acting_.measure(now);  // after what waits to be told
  drain();               // should the task of take() have found no room
  write_series();
  std::erase_if(forgotten_, [now](const auto& entry) { return now - entry.second > kForgottenMs; });
  if (now >= next_upkeep_ms_ || next_upkeep_ms_ - now > kUpkeepMs) upkeep();  // a clock may be set back
}

/// Clocks advance without transitions: a restart shall not set them back by much.
void Service::keep_clocks(Clocks which) {
  {
    const std::lock_guard lock(mutex_);
    book_.for_each([&](const Alert& alert) {
      const bool decides = alert.state == State::pending || alert.no_data_since_ms != 0;
      if (decides || which == Clocks::all) ledger_.note(alert.fingerprint);
    });
  }
  commit();
}

void Service::upkeep() {
  const std::int64_t now = options_.now_ms();
  next_upkeep_ms_ = now + kUpkeepMs;
  const std::int64_t patient = options_.patient_ms ? options_.patient_ms() : now;
  auto done = store_.prune(patient - kHistoryMs);
  if (done) done = silencing_.forget(patient);
  if (done) done = store_.checkpoint();
  if (!done)
    log::warn("alerts", "upkeep of meta.db failed; it will be tried again", {{"error", done.error()}});
}

void Service::settle(const Transitions& transitions) {
  for (const Transition& transition : transitions) {
    if (transition.from == transition.to) {
      calmed(transition.alert);
    } else if (transition.to == State::pending || transition.to == State::firing) {
      began(transition);
    } else {
      ended(transition);
    }
  }
  if (!transitions.empty()) {
    announce();
    acting_.step(options_.now_ms());
  }
  tell_groups();
  commit();
  if (!transitions.empty()) write_series();
}

void Service::write_series() {
  if (!options_.records) return;
  std::vector<rules::RecordedSample> samples;
  {
    const std::lock_guard lock(mutex_);
    samples = series_.write(book_, options_.now_ms());
  }
  if (!samples.empty()) options_.records({"ALERTS", std::move(samples)});
}

void Service::began(const Transition& transition) {
  const Alert& alert = transition.alert;
  ledger_.note(alert.fingerprint);
  const bool fires = transition.to == State::firing;
  if (fires) log_alert(log::Level::warn, "alert fires", alert);
  // What had no answer when it went pending, as right after a host came, is asked again when it fires.
  std::vector<notify::Evidence> evidence = evidence_of(alert);
  const std::lock_guard lock(mutex_);
  if (fires) grouping_.fire(alert, options_.now_ms());
  ++counters_.transitions;
  if (fires) unannounced_.insert(alert.fingerprint);
  Alert* kept = book_.find(alert.fingerprint);
  if (kept != nullptr) kept->evidence = with_missing(std::move(kept->evidence), std::move(evidence));
}

/// It fires on and flaps no more.
void Service::calmed(const Alert& alert) {
  log_alert(log::Level::info, "alert fires on and flaps no more", alert);
  ledger_.note(alert.fingerprint);
  const std::lock_guard lock(mutex_);
  grouping_.tell_again(alert.fingerprint);
  ++counters_.transitions;
  calmed_.insert(alert.fingerprint);
}

/// What its rule asks, and what the host is busy with, as of the moment.
std::vector<notify::Evidence> Service::evidence_of(const Alert& alert) {
  const auto& texts = alert.rule->extras.evidence;
  const bool has_host = options_.evidence && !alert.instance().empty();
  if (!has_host && texts.empty()) return {};
  return evidence_.gather([&] {
    std::vector<notify::Evidence> out;
    if (!texts.empty() && options_.ask) {
      const rules::TemplateQuery query = [&](std::string_view expr) {
        return options_.ask(expr, alert.last_true_ms);
      };
      out = ask_evidence(texts,
                         {*alert.series, alert.value, rules_->external_labels(), rules_->external_url(),
                          alert.last_true_ms, &query},
                         query);
    }
    if (has_host) {
      for (notify::Evidence& table : options_.evidence(alert.instance(), alert.last_true_ms))
        out.push_back(std::move(table));
    }
    return out;
  });
}

void Service::ended(const Transition& transition) {
  Alert alert = transition.alert;
  ledger_.note_end(alert);
  unannounced_.erase(alert.fingerprint);
  calmed_.erase(alert.fingerprint);
  held_back_.erase(alert.fingerprint);
  if (transition.to == State::resolved) {
    log_alert(log::Level::info, "alert resolved", alert);
    if (alert.announced) {
      acting_.resolve(alert, options_.now_ms());
      acting_.tell(alert);
      say(alert, notify::Kind::resolved);
    }
    {
      const std::lock_guard lock(mutex_);
      grouping_.resolve(alert, rules_->external_url());
    }
    const notify::Notification note = to_notification(alert, notify::Kind::resolved, rules_->external_url());
    for (const std::string& receiver : alert.escalated) {
      for (notify::Row& row : grouping_.rows_to(receiver, note, options_.now_ms()))
        ledger_.add_message(std::move(row));
    }
  }
  const std::lock_guard lock(mutex_);
  ++counters_.transitions;
  if (transition.to == State::resolved) resolved_.push_back(to_info(alert));
}

/// False when the disk refused.
bool Service::commit() {
  tell_runs();
  std::deque<Alert> copies;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& fingerprint : ledger_.changed()) {
      if (const Alert* alert = book_.find(fingerprint)) copies.push_back(*alert);
    }
  }
  Ledger::Company company;
  for (const std::string& id : ledger_.changed_groups()) {
    if (auto group = grouping_.stored(id)) company.groups.push_back(std::move(*group));
  }
  for (const std::string& id : ledger_.changed_silences()) {
    if (auto silence = silencing_.stored(id)) company.silences.push_back(std::move(*silence));
  }
  acting_.put(company);
  Ledger::Committed done = ledger_.commit(copies, std::move(company));
  if (done.outcome == Ledger::Outcome::nothing) return true;
  if (done.outcome == Ledger::Outcome::written) {
    acting_.stored();
  } else {
    acting_.refused();
  }
  {
    const std::lock_guard lock(mutex_);
    ++(done.outcome == Ledger::Outcome::written ? counters_.commits : counters_.commit_failures);
    counters_.notifications += done.messages.size();
    counters_.last_commit_ns = done.took_ns;
  }
  if (!done.messages.empty()) notifier_->enqueue(std::move(done.messages));
  return done.outcome == Ledger::Outcome::written;
}

}  // namespace vigil::alerts
