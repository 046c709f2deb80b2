#include "aggregator/alerts/alert_service.h"

#include "aggregator/alerts/acting.h"
#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/alert_series.h"
#include "aggregator/alerts/escalation.h"
#include "aggregator/alerts/inbox.h"
#include "aggregator/alerts/inhibition.h"
#include "aggregator/alerts/ledger.h"
#include "aggregator/alerts/maintaining.h"
#include "aggregator/alerts/messages.h"
#include "aggregator/alerts/meta_file.h"
#include "aggregator/alerts/meta_store.h"
#include "aggregator/alerts/receivers.h"
#include "aggregator/alerts/silencing.h"
#include "aggregator/alerts/wait_for.h"
#include "common/log/log.h"
#include "common/threads/worker.h"
#include "common/wire/names.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <unordered_set>

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
constexpr std::int64_t kForgottenMs = 300'000;  // longer than any evaluation is under way

Error not_stored() {
  return fail(Errc::io, "nothing is changed, since the aggregator could not store it: see its log");
}

/// A rule that exists no more, so that its alert can be ended properly.
rules::RulePtr stub_rule(const StoredAlert& stored) {
  auto rule = std::make_shared<rules::Rule>();
  rule->key = stored.rule_key;
  rule->name = stored.alert.labels.get("alertname");
  rule->group = stored.rule_key.substr(0, stored.rule_key.find('/'));
  return rule;
}

class Service : public AlertService {
 public:
  Service(AlertServiceOptions options, rules::RuleSetPtr rules, MetaStore store)
      : options_(std::move(options)),
        store_(std::move(store)),
        rules_(std::move(rules)),
        book_({rules_->external_labels(), rules_->external_url(), options_.ask, {}}),
        grouping_(options_.routing),
        acting_(options_.actions ? options_.actions : std::make_shared<std::vector<actions::ActionConfig>>(),
                options_.ask) {
    adopt(rules_);
  }
  ~Service() override { stop(); }

  Result<void> restore();
  Result<void> restore_changes();

  void tell_loss(std::string loss) { loss_ = std::move(loss); }

  rules::KnownAlertsPtr known() const override { return known_; }
  const std::string& loss() const override { return loss_; }
  void set_notifier(notify::Notifier& notifier) override { notifier_ = &notifier; }
  void set_perform(Perform perform) override { acting_.set_perform(std::move(perform)); }
  void hold_actions() override { acting_.hold(); }
  void start() override;
  void stop() override;

  void take(Evaluation evaluation) override;
  void delivered(notify::Delivery delivery) override;
  void action_ended(std::string run, actions::Outcome outcome) override;
  void reload(Reloaded reloaded, std::function<void()> adopted) override;
  void forget_host(std::string instance) override;
  void put_silence(silences::Silence silence, std::function<void(Result<std::string>)> done) override;
  void expire_silence(std::string id, std::function<void(Result<void>)> done) override;
  void acknowledge(std::string id, Acknowledgement by, std::function<void(Result<void>)> done) override;
  void explain(std::string id, std::function<void(Result<Explanation>)> done) override;

  void run_action(actions::Order order, std::function<void(Result<actions::Run>)> done) override;
  void decide_run(std::string id, actions::Decision decision,
                  std::function<void(Result<actions::Run>)> done) override;

  std::vector<actions::ActionConfig> actions() const override { return acting_.actions(); }
  std::vector<actions::Run> runs(const actions::RunQuery& query) const override {
    return acting_.select(query);
  }
  std::map<std::string, actions::RunFigures> run_figures() const override { return acting_.figures(); }
  std::vector<AlertInfo> alerts() const override;
  std::vector<RuleInfo> rules() const override;
  std::shared_ptr<const silences::SilenceBook> silences() const override { return silencing_.book(); }
  Counters counters() const override;
  const Worker& worker() const override { return worker_; }

 private:
  using Transitions = std::vector<Transition>;

  void adopt(const rules::RuleSetPtr& rules) {
    rules_ = rules;
    live_rules_.clear();
    for (const rules::RulePtr& rule : rules->rules()) live_rules_.insert(rule.get());
  }

  // Everything below runs on the worker.
  void drain();
  void drop_forgotten(Evaluation& evaluation) const;
  void beat();
  void keep_clocks();
  void settle(const Transitions& transitions);
  void began(const Transition& transition);
  std::vector<notify::Evidence> evidence_of(const Alert& alert);
  void ended(const Transition& transition);
  void announce();
  void say(Alert& alert, notify::Kind kind);
  void tell_groups();
  void escalate();
  Result<void> know_all(const silences::MaintenancePlan& plan) const;
  void maintain();
  void tell_runs();
  void write_series();
  bool commit();
  void upkeep();
  Result<void> take_acknowledgement(const std::string& id, Acknowledgement by);
  Result<AlertInfo> find(const std::string& id) const;
  Result<Explanation> explanation_of(const std::string& id) const;

  const AlertServiceOptions options_;
  MetaStore store_;
  Silencing silencing_{store_};
  rules::KnownAlertsPtr known_;
  std::string loss_;
  notify::Notifier* notifier_ = nullptr;

  Inbox inbox_;

  mutable std::mutex mutex_;  // protects what follows; the worker alone changes it
  rules::RuleSetPtr rules_;
  std::unordered_set<const rules::Rule*> live_rules_;
  AlertBook book_;
  std::deque<AlertInfo> resolved_;  // newest last
  Counters counters_;

  // The worker's own.
  Ledger ledger_{store_};
  std::set<std::string> unannounced_;  // firing, nobody told yet
  std::set<std::string> held_back_;    // those of them that an inhibitor or a silence keeps back
  EvidenceRound evidence_;
  Grouping grouping_;
  Acting acting_;
  AlertSeries series_;
  std::map<std::string, std::int64_t, std::less<>> forgotten_;  // hosts, and when
  std::int64_t next_upkeep_ms_ = 0;
  std::int64_t last_beat_ms_ = 0;
  Worker worker_{"alerts"};
};

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
    book_.restore(std::move(alert));
  }
  known_ = std::move(known);
  if (auto restored = restore_changes(); !restored) return restored;
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
      book_.restore_change(alert.fingerprint, alert.fired_at_ms);
  });
  return store_.each_ended(options_.now_ms() - longest, [this](const EndedAlert& ended) {
    const rules::RulePtr rule = rules_->find(ended.rule_key);
    if (!rule || !rule->extras.flapping) return;
    book_.restore_change(ended.fingerprint, ended.fired_at_ms);
    book_.restore_change(ended.fingerprint, ended.resolved_at_ms);
  });
}

void Service::start() {
  if (notifier_ != nullptr) {
    auto threads = store_.threads();  // before the messages that go on from them
    if (threads) {
      notifier_->remember(std::move(*threads));
    } else {
      log::error("alerts", "cannot read the threads of messages", {{"error", threads.error()}});
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
  worker_.every(std::chrono::seconds(10), [this] { keep_clocks(); });
  worker_.start();
}

void Service::stop() {
  worker_.stop();
  keep_clocks();  // the worker is gone: its state is ours
  static_cast<void>(store_.checkpoint());
}

void Service::take(Evaluation evaluation) {
  if (inbox_.put(std::move(evaluation))) worker_.post([this] { drain(); });
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
  if (now < last_beat_ms_) grouping_.forget_future(now);
  last_beat_ms_ = now;
  Transitions expired;
  {
    const std::lock_guard lock(mutex_);
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
  if (now >= next_upkeep_ms_) upkeep();
}

/// The clocks of pending alerts advance without transitions: a restart shall not set them back by much.
void Service::keep_clocks() {
  {
    const std::lock_guard lock(mutex_);
    book_.for_each([this](const Alert& alert) {
      if (alert.state == State::pending || alert.no_data_since_ms != 0) ledger_.note(alert.fingerprint);
    });
  }
  commit();
}

void Service::upkeep() {
  const std::int64_t now = options_.now_ms();
  next_upkeep_ms_ = now + 60'000;
  auto done = store_.prune(now - kHistoryMs);
  if (done) done = silencing_.forget(now);
  if (done) done = store_.checkpoint();
  if (!done)
    log::warn("alerts", "upkeep of meta.db failed; it will be tried again", {{"error", done.error()}});
}

void Service::settle(const Transitions& transitions) {
  for (const Transition& transition : transitions) {
    if (transition.to == State::pending || transition.to == State::firing) {
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
  std::vector<notify::Evidence> evidence;
  if (alert.evidence.empty()) evidence = evidence_of(alert);
  if (fires) grouping_.fire(alert, options_.now_ms());
  const std::lock_guard lock(mutex_);
  ++counters_.transitions;
  if (fires) unannounced_.insert(alert.fingerprint);
  Alert* kept = book_.find(alert.fingerprint);
  if (kept != nullptr && !evidence.empty()) kept->evidence = std::move(evidence);
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
  held_back_.erase(alert.fingerprint);
  if (transition.to == State::resolved) {
    log_alert(log::Level::info, "alert resolved", alert);
    if (alert.announced) {
      acting_.resolve(alert, options_.now_ms());
      acting_.tell(alert);
      say(alert, notify::Kind::resolved);
    }
    grouping_.resolve(alert, rules_->external_url());
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

/// Puts the messages of firing alerts that nothing inhibits or silences (any more) into the outbox.
void Service::announce() {
  if (unannounced_.empty()) return;
  const auto silences = silencing_.book();
  const std::int64_t now = options_.now_ms();
  const std::lock_guard lock(mutex_);
  const Inhibition inhibition(book_);
  for (auto next = unannounced_.begin(); next != unannounced_.end();) {
    Alert* alert = book_.find(*next);
    const bool inhibited = alert != nullptr && !inhibition.inhibitor_of(*alert).empty();
    if (inhibited || (alert != nullptr && silences->is_muted(alert->labels, now))) {
      if (held_back_.insert(*next).second) ++(inhibited ? counters_.inhibited : counters_.silenced);
      ++next;
      continue;
    }
    if (alert != nullptr) {
      acting_.fire(*alert, now);
      acting_.tell(*alert);
      say(*alert, notify::Kind::firing);
      alert->announced = true;
      alert->announced_ms = now;
      ledger_.note(alert->fingerprint);
    }
    held_back_.erase(*next);
    next = unannounced_.erase(next);
  }
}

/// One outbox row for each receiver: of a firing message those that want it, of a resolved one those among
/// them that were told of the firing.
void Service::say(Alert& alert, notify::Kind kind) {
  if (notifier_ == nullptr) return;
  const notify::Notification note = to_notification(alert, kind, rules_->external_url());
  const std::int64_t now = options_.now_ms();
  std::vector<std::string> receivers = notifier_->targets(note);
  if (kind == notify::Kind::resolved) {
    for (const auto& late : notifier_->late_targets(note)) receivers.push_back(late.receiver);
  }
  for (const std::string& receiver : receivers) {
    if (kind == notify::Kind::firing) {
      alert.notified.push_back(receiver);
    } else if (std::find(alert.notified.begin(), alert.notified.end(), receiver) == alert.notified.end()) {
      continue;
    }
    ledger_.add_message({0, receiver, now, 0, 0, note});
  }
}

/// Puts the messages of groups that are due into the outbox.
void Service::tell_groups() {
  const std::int64_t now = options_.now_ms();
  if (notifier_ != nullptr && grouping_.is_due(now)) {
    const auto silences = silencing_.book();
    const std::lock_guard lock(mutex_);
    const Inhibition inhibition(book_);
    const auto is_held = [&](const Alert& alert) {
      return !inhibition.inhibitor_of(alert).empty() || silences->is_muted(alert.labels, now);
    };
    for (notify::Row& row : grouping_.flush(book_, now, rules_->external_url(), is_held))
      ledger_.add_message(std::move(row));
  }
  ledger_.note_groups(grouping_.take_changed());
}

void Service::escalate() {
  if (notifier_ == nullptr) return;
  const std::int64_t now = options_.now_ms();
  const auto silences = silencing_.book();
  const std::lock_guard lock(mutex_);
  alerts::escalate({book_, grouping_, *notifier_, *silences, ledger_, rules_->external_url(), now});
}

void Service::maintain() {
  // The book is this thread's: others only read it.
  alerts::maintain(
      {silencing_, store_, book_, options_.ask, acting_, {grouping_, notifier_}, ledger_, options_.now_ms()});
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

void Service::delivered(notify::Delivery delivery) {
  std::erase(delivery.ids, 0);
  if (delivery.ids.empty() && !delivery.thread) return;
  worker_.insist([this, delivery = std::move(delivery)] {
    const auto done = store_.record(delivery, options_.now_ms());
    if (!done)
      log::warn("alerts", "cannot note a delivery; a restart would repeat it", {{"error", done.error()}});
    if (delivery.noted) delivery.noted();
  });
}

void Service::action_ended(std::string run, actions::Outcome outcome) {
  worker_.insist([this, run = std::move(run), outcome = std::move(outcome)]() mutable {
    acting_.end(run, std::move(outcome), options_.now_ms());
    acting_.step(options_.now_ms());  // another one may begin
    commit();
  });
}

/// Alerts show what was done about them.
void Service::tell_runs() {
  const std::set<std::string> touched = acting_.touched();
  if (touched.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const std::string& fingerprint : touched) {
    Alert* alert = book_.find(fingerprint);
    if (alert == nullptr) continue;
    acting_.tell(*alert);
    ledger_.note(fingerprint);
  }
  for (AlertInfo& over : resolved_) {
    if (touched.contains(over.fingerprint)) acting_.tell(over.fingerprint, over.fired_at_ms, over.evidence);
  }
}

void Service::run_action(actions::Order order, std::function<void(Result<actions::Run>)> done) {
  worker_.insist([this, order = std::move(order), done = std::move(done)] {
    const std::int64_t now = options_.now_ms();
    auto run = acting_.ask(order, now);
    acting_.step(now);
    if (!commit() && run) {
      acting_.undo_ask(run->id, now);
      run = not_stored();
    }
    if (run) run = *acting_.find(run->id);
    done(std::move(run));
  });
}

void Service::decide_run(std::string id, actions::Decision decision,
                         std::function<void(Result<actions::Run>)> done) {
  worker_.insist([this, id = std::move(id), decision = std::move(decision), done = std::move(done)] {
    auto run = acting_.decide(id, decision, options_.now_ms());
    acting_.step(options_.now_ms());
    if (!commit() && run) {
      acting_.undo_decision(run->id);
      run = not_stored();
    }
    if (run) run = *acting_.find(run->id);
    done(std::move(run));
  });
}

void Service::reload(Reloaded reloaded, std::function<void()> adopted) {
  worker_.insist([this, reloaded = std::move(reloaded), adopted = std::move(adopted)] {
    Transitions gone;
    {
      const std::lock_guard lock(mutex_);
      if (reloaded.routing && grouping_.is_on()) {
        grouping_.adopt(reloaded.routing);
        grouping_.join(book_, options_.now_ms());
      }
      if (reloaded.actions) acting_.adopt(reloaded.actions, options_.now_ms());
      adopt(reloaded.rules);
      gone = book_.adopt(*rules_, options_.now_ms());
    }
    settle(gone);
    if (adopted) adopted();
  });
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

void Service::forget_host(std::string instance) {
  worker_.insist([this, instance = std::move(instance)] {
    drain();
    forgotten_[instance] = options_.now_ms();
    Transitions gone;
    {
      const std::lock_guard lock(mutex_);
      gone = book_.forget_host(instance, options_.now_ms());
    }
    settle(gone);
  });
}

/// Whether everybody and everything that a plan names is there.
Result<void> Service::know_all(const silences::MaintenancePlan& plan) const {
  if (auto known = Receivers(grouping_, notifier_).know(plan.receivers); !known) return known;
  std::vector<std::string> names;
  for (const auto* wanted : {&plan.run_before, &plan.run_after}) {
    for (const std::string& text : *wanted) {
      const silences::PlannedAction planned = silences::planned_action(text);
      if (text.ends_with('@') || (!planned.host.empty() && !wire::valid_host_name(planned.host)))
        return fail(Errc::invalid_argument, "{}: what stands behind @ is no name of a host", text);
      names.push_back(planned.name);
    }
  }
  return acting_.know(names);
}

void Service::put_silence(silences::Silence silence, std::function<void(Result<std::string>)> done) {
  worker_.insist([this, silence = std::move(silence), done = std::move(done)] {
    const auto known = silence.maintenance ? know_all(*silence.maintenance) : Result<void>();
    auto id = known ? silencing_.put(silence, options_.now_ms()) : Result<std::string>(known.error());
    if (id) log::info("alerts", "silence set", {{"id", *id}, {"author", silence.author}});
    done(std::move(id));
  });
}

void Service::expire_silence(std::string id, std::function<void(Result<void>)> done) {
  worker_.insist([this, id = std::move(id), done = std::move(done)] {
    auto ended = silencing_.expire(id, options_.now_ms());
    if (ended) log::info("alerts", "silence ended", {{"id", id}});
    done(std::move(ended));  // it is on the disk; what follows may ask the storage
    maintain();
    announce();
    acting_.step(options_.now_ms());
    tell_groups();
    commit();
  });
}

void Service::explain(std::string id, std::function<void(Result<Explanation>)> done) {
  worker_.insist([this, id = std::move(id), done = std::move(done)] { done(explanation_of(id)); });
}

void Service::acknowledge(std::string id, Acknowledgement by, std::function<void(Result<void>)> done) {
  worker_.insist([this, id = std::move(id), by = std::move(by), done = std::move(done)] {
    done(take_acknowledgement(id, by));
  });
}

Result<void> Service::take_acknowledgement(const std::string& id, Acknowledgement by) {
  const auto found = find(id);
  if (!found) return found.error();
  by.at_ms = by.author.empty() ? 0 : options_.now_ms();
  Acknowledgement before;
  {
    const std::lock_guard lock(mutex_);
    Alert* alert = book_.find(found->fingerprint);
    if (alert == nullptr || alert->state != State::firing)
      return fail(Errc::conflict, "{} is {}: only what fires can be acknowledged", found->name,
                  to_string(found->state));
    before = std::exchange(alert->acknowledgement, by);
  }
  ledger_.note(found->fingerprint);
  if (commit()) {
    log::info(
        "alerts", by ? "alert acknowledged" : "acknowledgement withdrawn",
        {{"alert", found->name}, {"id", found->fingerprint}, {"author", by ? by.author : before.author}});
    return {};
  }
  const std::lock_guard lock(mutex_);
  if (Alert* alert = book_.find(found->fingerprint)) alert->acknowledgement = before;
  return not_stored();
}

/// The one of alerts() whose id begins so.
Result<AlertInfo> Service::find(const std::string& id) const {
  std::vector<AlertInfo> found = alerts();
  std::erase_if(found, [&id](const AlertInfo& info) { return !info.fingerprint.starts_with(id); });
  if (found.empty())
    return fail(Errc::not_found, "no alert is called {}: `vigil alerts` lists their ids", id);
  const AlertInfo& info = found.front();  // one that fires again is listed also as it ended
  if (std::ranges::any_of(found,
                          [&](const AlertInfo& other) { return other.fingerprint != info.fingerprint; }))
    return fail(Errc::invalid_argument, "{} is the beginning of several alerts' ids: write more of it", id);
  return info;
}

Result<Explanation> Service::explanation_of(const std::string& id) const {
  const auto found = find(id);
  if (!found) return found.error();
  const AlertInfo& info = *found;
  const auto silences = silencing_.book();
  const auto receivers = notifier_ == nullptr ? std::vector<notify::ReceiverStats>() : notifier_->stats();
  const std::lock_guard lock(mutex_);
  const Alert* alert = book_.find(info.fingerprint);
  const bool fires = alert != nullptr && alert->state == State::firing;
  const Inhibition inhibition(book_);
  const Circumstances circumstances{
      *silences,
      fires ? inhibition.inhibitor_of(*alert) : std::string_view(),
      grouping_,
      book_,
      receivers,
      fires ? escalations_of(*alert, grouping_, notifier_, options_.now_ms()) : std::vector<NextTelling>(),
      acting_.of_alert(info.fingerprint),
      options_.now_ms()};
  return Explanation{
      info, alert == nullptr ? alerts::explain(info, circumstances) : alerts::explain(*alert, circumstances)};
}

std::vector<AlertInfo> Service::alerts() const {
  std::vector<AlertInfo> out;
  const auto silences = silencing_.book();
  const std::int64_t now = options_.now_ms();
  {
    const std::lock_guard lock(mutex_);
    out = list_active(book_);
    grouping_.mark_inhibited(out, book_);
    for (AlertInfo& info : out) {
      info.receivers = info.notified;
      for (std::string& name : grouping_.receivers_of(info.labels)) info.receivers.push_back(std::move(name));
      info.groups = grouping_.places_of(info.fingerprint);
    }
    out.insert(out.end(), resolved_.begin(), resolved_.end());
  }
  for (AlertInfo& info : out) {
    if (info.state == State::resolved) continue;
    for (const silences::Silence* silence : silences->muting(info.labels, now)) {
      info.silenced_by.push_back(silence->id);
      info.is_in_maintenance = info.is_in_maintenance || silence->maintenance;
    }
  }
  sort_worst_first(out);
  return out;
}

std::vector<RuleInfo> Service::rules() const {
  rules::RuleSetPtr rules;
  CountsByRule counts;
  {
    const std::lock_guard lock(mutex_);
    rules = rules_;
    counts = count_by_rule(book_);
  }
  return list_rules(*rules, counts);
}

Counters Service::counters() const {
  const std::lock_guard lock(mutex_);
  Counters out = counters_;
  for (const auto& [rule, counts] : count_by_rule(book_)) {
    out.pending += counts.pending;
    out.firing += counts.firing;
  }
  out.superseded = inbox_.superseded();
  return out;
}

Result<std::unique_ptr<AlertService>> open_store(const AlertServiceOptions& options,
                                                 const rules::RuleSetPtr& rules, std::string loss) {
  auto store = MetaStore::open(options.path);
  if (!store) return store.error();
  auto service = std::make_unique<Service>(options, rules, std::move(*store));
  if (auto restored = service->restore(); !restored) return restored.error();
  service->tell_loss(std::move(loss));
  return std::unique_ptr<AlertService>(std::move(service));
}

}  // namespace

Result<void> acknowledge(AlertService& service, std::string id, Acknowledgement by) {
  return wait_for<Result<void>>(
      [&](auto answer) { service.acknowledge(std::move(id), std::move(by), std::move(answer)); });
}

Result<actions::Run> run_action(AlertService& service, actions::Order order) {
  return wait_for<Result<actions::Run>>(
      [&](auto answer) { service.run_action(std::move(order), std::move(answer)); });
}

Result<actions::Run> decide_run(AlertService& service, std::string id, actions::Decision decision) {
  return wait_for<Result<actions::Run>>(
      [&](auto answer) { service.decide_run(std::move(id), std::move(decision), std::move(answer)); });
}

Result<Explanation> explain(AlertService& service, std::string id) {
  return wait_for<Result<Explanation>>(
      [&](auto answer) { service.explain(std::move(id), std::move(answer)); });
}

Result<std::unique_ptr<AlertService>> AlertService::open(const AlertServiceOptions& options,
                                                         const rules::RuleSetPtr& rules) {
  const std::string lost = options.ran_before ? loss_without(options.path) : std::string();
  if (!lost.empty()) log::error("alerts", lost, {{"file", options.path}});
  auto opened = open_store(options, rules, lost);
  if (opened || opened.error().code != Errc::corrupt) return opened;
  auto loss = set_aside(options.path);
  if (!loss) return loss.error();
  log::error("alerts", *loss, {{"error", opened.error()}});
  return open_store(options, rules, std::move(*loss));
}

}  // namespace vigil::alerts
