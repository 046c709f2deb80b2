#include "aggregator/alerts/alert_service.h"

#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/inhibition.h"
#include "aggregator/alerts/messages.h"
#include "aggregator/alerts/meta_store.h"
#include "common/log/log.h"
#include "common/threads/worker.h"

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

constexpr std::size_t kCrowd = 10'000;  // evaluations that wait
constexpr std::int64_t kShowResolvedMs = 900'000;
constexpr std::int64_t kHistoryMs = 90LL * 86'400'000;
constexpr std::int64_t kForgottenMs = 300'000;  // longer than any evaluation is under way

/// A rule that exists no more, so that its alert can be ended properly.
rules::RulePtr stub_rule(const StoredAlert& stored) {
  auto rule = std::make_shared<rules::Rule>();
  rule->key = stored.rule_key;
  rule->name = stored.alert.labels.get("alertname");
  rule->group = stored.rule_key.substr(0, stored.rule_key.find('/'));
  return rule;
}

AlertInfo to_info(const Alert& alert) {
  return {alert.fingerprint,
          alert.rule->group,
          alert.rule->name,
          std::string(alert.severity()),
          std::string(alert.instance()),
          alert.state,
          alert.labels,
          alert.annotations,
          alert.value,
          alert.active_since_ms,
          alert.fired_at_ms,
          alert.resolved_at_ms,
          alert.no_data_since_ms,
          {},
          alert.reason,
          alert.evidence};
}

/// Firing before pending before resolved; then the worse severity, then the newer.
bool worse(const AlertInfo& a, const AlertInfo& b) {
  const auto rank = [](const AlertInfo& alert) {
    return alert.state == State::firing ? 0 : alert.state == State::pending ? 1 : 2;
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  const auto left = notify::parse_severity(a.severity);
  const auto right = notify::parse_severity(b.severity);
  if (left != right) return left > right;
  if (a.active_since_ms != b.active_since_ms) return a.active_since_ms > b.active_since_ms;
  return a.fingerprint < b.fingerprint;
}

class Service : public AlertService {
 public:
  Service(AlertServiceOptions options, rules::RuleSetPtr rules, MetaStore store)
      : options_(std::move(options)),
        store_(std::move(store)),
        rules_(std::move(rules)),
        book_(rules_->external_labels(), rules_->external_url()),
        evidence_(options_.evidence) {
    adopt(rules_);
  }
  ~Service() override { stop(); }

  Result<void> restore();

  rules::KnownAlertsPtr known() const override { return known_; }
  void set_notifier(notify::Notifier& notifier) override { notifier_ = &notifier; }
  void start() override;
  void stop() override;

  void take(Evaluation evaluation) override;
  void delivered(notify::Delivery delivery) override;
  void reload(rules::RuleSetPtr rules) override;
  void forget_host(std::string instance) override;

  std::vector<AlertInfo> alerts() const override;
  std::vector<RuleInfo> rules() const override;
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
  void ended(const Transition& transition);
  void announce();
  void say(Alert& alert, notify::Kind kind);
  void commit();
  void upkeep();

  const AlertServiceOptions options_;
  MetaStore store_;
  rules::KnownAlertsPtr known_;
  notify::Notifier* notifier_ = nullptr;

  mutable std::mutex inbox_mutex_;  // protects what follows
  std::vector<Evaluation> inbox_;
  std::map<std::pair<const rules::Rule*, std::string>, std::size_t> waiting_;  // places in inbox_
  std::uint64_t superseded_ = 0;
  mutable std::mutex mutex_;  // protects what follows; the worker alone changes it
  rules::RuleSetPtr rules_;
  std::unordered_set<const rules::Rule*> live_rules_;
  AlertBook book_;
  std::deque<AlertInfo> resolved_;  // newest last
  Counters counters_;

  // The worker's own.
  std::set<std::string> dirty_;        // to be written
  std::set<std::string> removed_;      // to be deleted
  std::deque<Alert> history_;          // to be added
  std::set<std::string> unannounced_;  // firing, nobody told yet
  std::set<std::string> held_back_;    // those of them that an inhibitor keeps back
  std::vector<notify::Row> outbox_;    // of this round
  EvidenceRound evidence_;
  std::map<std::string, std::int64_t, std::less<>> forgotten_;  // hosts, and when
  bool disk_failed_ = false;
  std::int64_t next_upkeep_ms_ = 0;
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
    if (rule) (*known)[{rule->key, alert.scope}].push_back(alert.series);
    if (alert.state == State::firing && !alert.announced) unannounced_.insert(alert.fingerprint);
    book_.restore(std::move(alert));
  }
  known_ = std::move(known);
  if (store_.damaged() > 0) {
    log::error("alerts", "rows of meta.db could not be read and are left out", {{"rows", store_.damaged()}});
  }
  return {};
}

void Service::start() {
  if (notifier_ != nullptr) {
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
  bool first = false;
  {
    // That an alert is over is said once, so no evaluation may be dropped. But each says all there is to say
    // of its rule and scope: in a crowd the newest replaces the one that waits, and their number is bounded.
    const std::lock_guard lock(inbox_mutex_);
    const auto [place, fresh] =
        waiting_.try_emplace({evaluation.rule.get(), evaluation.scope}, inbox_.size());
    if (!fresh && inbox_.size() >= kCrowd) {
      inbox_[place->second] = std::move(evaluation);
      ++superseded_;
      return;
    }
    place->second = inbox_.size();
    first = inbox_.empty();
    inbox_.push_back(std::move(evaluation));
  }
  if (first) worker_.post([this] { drain(); });
}

void Service::drain() {
  std::vector<Evaluation> batch;
  {
    const std::lock_guard lock(inbox_mutex_);
    batch.swap(inbox_);
    waiting_.clear();
  }
  Transitions all;
  {
    const std::lock_guard lock(mutex_);
    for (Evaluation& evaluation : batch) {
      drop_forgotten(evaluation);
      // One of an older rule set may still be under way when its rule is no more.
      if (!live_rules_.contains(evaluation.rule.get()) && !rules_->find(evaluation.rule->key)) continue;
      for (Transition& transition : book_.apply(evaluation)) all.push_back(std::move(transition));
    }
    counters_.evaluations += batch.size();
  }
  settle(all);
}

void Service::beat() {
  const std::int64_t now = options_.now_ms();
  Transitions expired;
  {
    const std::lock_guard lock(mutex_);
    expired = book_.expire(now);
    while (!resolved_.empty() && resolved_.front().resolved_at_ms < now - kShowResolvedMs)
      resolved_.pop_front();
  }
  evidence_.begin();
  settle(expired);
  drain();  // should the task of take() have found no room
  std::erase_if(forgotten_, [now](const auto& entry) { return now - entry.second > kForgottenMs; });
  if (now >= next_upkeep_ms_) upkeep();
}

/// The clocks of pending alerts advance without transitions: a restart shall not set them back by much.
void Service::keep_clocks() {
  {
    const std::lock_guard lock(mutex_);
    book_.for_each([this](const Alert& alert) {
      if (alert.state == State::pending || alert.no_data_since_ms != 0) dirty_.insert(alert.fingerprint);
    });
  }
  commit();
}

void Service::upkeep() {
  const std::int64_t now = options_.now_ms();
  next_upkeep_ms_ = now + 60'000;
  auto done = store_.prune(now - kHistoryMs);
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
  announce();
  commit();
}

void Service::began(const Transition& transition) {
  const Alert& alert = transition.alert;
  dirty_.insert(alert.fingerprint);
  removed_.erase(alert.fingerprint);
  const bool fires = transition.to == State::firing;
  if (fires) log_alert(log::Level::warn, "alert fires", alert);
  std::vector<notify::Evidence> evidence;
  if (fires) evidence = evidence_.gather(alert.instance(), alert.fired_at_ms);
  const std::lock_guard lock(mutex_);
  ++counters_.transitions;
  if (!fires) return;
  unannounced_.insert(alert.fingerprint);
  if (Alert* kept = book_.find(alert.fingerprint)) kept->evidence = std::move(evidence);
}

void Service::ended(const Transition& transition) {
  Alert alert = transition.alert;
  dirty_.erase(alert.fingerprint);
  removed_.insert(alert.fingerprint);
  unannounced_.erase(alert.fingerprint);
  held_back_.erase(alert.fingerprint);
  if (transition.to == State::resolved) {
    log_alert(log::Level::info, "alert resolved", alert);
    if (alert.announced) say(alert, notify::Kind::resolved);
    history_.push_back(alert);
  }
  const std::lock_guard lock(mutex_);
  ++counters_.transitions;
  if (transition.to == State::resolved) resolved_.push_back(to_info(alert));
}

/// Puts the messages of firing alerts that nothing inhibits (any more) into the outbox.
void Service::announce() {
  if (unannounced_.empty()) return;
  const std::lock_guard lock(mutex_);
  const Inhibition inhibition(book_);
  for (auto next = unannounced_.begin(); next != unannounced_.end();) {
    Alert* alert = book_.find(*next);
    if (alert != nullptr && !inhibition.inhibitor_of(*alert).empty()) {
      if (held_back_.insert(*next).second) ++counters_.inhibited;
      ++next;
      continue;
    }
    if (alert != nullptr) {
      say(*alert, notify::Kind::firing);
      alert->announced = true;
      dirty_.insert(alert->fingerprint);
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
  for (const std::string& receiver : notifier_->targets(note)) {
    if (kind == notify::Kind::firing) {
      alert.notified.push_back(receiver);
    } else if (std::find(alert.notified.begin(), alert.notified.end(), receiver) == alert.notified.end()) {
      continue;
    }
    outbox_.push_back({0, receiver, now, 0, 0, note});
  }
}

void Service::commit() {
  Changes changes;
  std::deque<Alert> copies;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& fingerprint : dirty_) {
      if (const Alert* alert = book_.find(fingerprint)) copies.push_back(*alert);
    }
  }
  for (const Alert& alert : copies) changes.put.push_back(&alert);
  changes.removed.assign(removed_.begin(), removed_.end());
  for (const Alert& alert : history_) changes.history.push_back(&alert);
  changes.outbox = &outbox_;
  if (changes.empty()) return;

  const auto began = std::chrono::steady_clock::now();
  const auto done = store_.commit(changes);
  if (done) {
    dirty_.clear();
    removed_.clear();
    history_.clear();
  }
  if (!done && !disk_failed_) {
    log::error("alerts", "cannot write meta.db; messages go out, but are forgotten by a restart",
               {{"error", done.error()}});
  } else if (done && disk_failed_) {
    log::info("alerts", "meta.db accepts again what happens to alerts");
  }
  disk_failed_ = !done;
  const std::size_t messages = outbox_.size();
  if (messages > 0) notifier_->enqueue(std::exchange(outbox_, {}));
  const std::lock_guard lock(mutex_);
  ++(done ? counters_.commits : counters_.commit_failures);
  counters_.notifications += messages;
  counters_.last_commit_ns = (std::chrono::steady_clock::now() - began).count();
}

void Service::delivered(notify::Delivery delivery) {
  std::erase(delivery.ids, 0);
  if (delivery.ids.empty()) return;
  worker_.insist([this, delivery = std::move(delivery)] {
    const auto done = store_.record(delivery, options_.now_ms());
    if (!done)
      log::warn("alerts", "cannot note a delivery; a restart would repeat it", {{"error", done.error()}});
  });
}

void Service::reload(rules::RuleSetPtr rules) {
  worker_.insist([this, rules = std::move(rules)] {
    Transitions gone;
    {
      const std::lock_guard lock(mutex_);
      adopt(rules);
      gone = book_.adopt(*rules_, options_.now_ms());
    }
    settle(gone);
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

std::vector<AlertInfo> Service::alerts() const {
  std::vector<AlertInfo> out;
  {
    const std::lock_guard lock(mutex_);
    const Inhibition inhibition(book_);
    book_.for_each([&](const Alert& alert) {
      AlertInfo& info = out.emplace_back(to_info(alert));
      if (alert.state == State::firing) info.inhibited_by = inhibition.inhibitor_of(alert);
    });
    out.insert(out.end(), resolved_.begin(), resolved_.end());
  }
  std::sort(out.begin(), out.end(), worse);
  return out;
}

std::vector<RuleInfo> Service::rules() const {
  std::vector<RuleInfo> out;
  std::map<const rules::Rule*, std::pair<std::size_t, std::size_t>> counts;  // pending, firing
  rules::RuleSetPtr rules;
  {
    const std::lock_guard lock(mutex_);
    rules = rules_;
    book_.for_each([&](const Alert& alert) {
      auto& [pending, firing] = counts[alert.rule.get()];
      ++(alert.state == State::firing ? firing : pending);
    });
  }
  for (const rules::RulePtr& rule : rules->rules()) {
    RuleInfo& info = out.emplace_back();
    info.rule = rule;
    std::tie(info.pending, info.firing) = counts[rule.get()];
    info.state = info.firing > 0 ? State::firing : info.pending > 0 ? State::pending : State::inactive;
    info.evaluations = rule->stats->evaluations.load(std::memory_order_relaxed);
    info.failures = rule->stats->failures.load(std::memory_order_relaxed);
    info.last_evaluation_ms = rule->stats->last_evaluation_ms.load(std::memory_order_relaxed);
    info.last_error = rule->stats->last_error();
  }
  return out;
}

Counters Service::counters() const {
  Counters out;
  {
    const std::lock_guard lock(mutex_);
    out = counters_;
    book_.for_each([&](const Alert& alert) { ++(alert.state == State::firing ? out.firing : out.pending); });
  }
  const std::lock_guard lock(inbox_mutex_);
  out.superseded = superseded_;
  return out;
}

}  // namespace

Result<std::unique_ptr<AlertService>> AlertService::open(AlertServiceOptions options,
                                                         rules::RuleSetPtr rules) {
  auto store = MetaStore::open(options.path);
  if (!store) return store.error();
  auto service = std::make_unique<Service>(std::move(options), std::move(rules), std::move(*store));
  if (auto restored = service->restore(); !restored) return restored.error();
  return std::unique_ptr<AlertService>(std::move(service));
}

}  // namespace vigil::alerts
