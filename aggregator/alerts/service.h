// The alert service itself: a worker that owns the alerts of rules, and what is told and stored of them.
// Its parts by what they do: service.cpp follows evaluations and time, and stores; telling.cpp puts messages
// into the outbox; dead_letters.cpp into it again; requests.cpp does what people and programs ask for;
// views.cpp shows.
#pragma once

#include "aggregator/alerts/acting.h"
#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/alert_series.h"
#include "aggregator/alerts/alert_service.h"
#include "aggregator/alerts/dead_letters.h"
#include "aggregator/alerts/evidence.h"
#include "aggregator/alerts/grouping.h"
#include "aggregator/alerts/inbox.h"
#include "aggregator/alerts/ledger.h"
#include "aggregator/alerts/meta_store.h"
#include "aggregator/alerts/silencing.h"
#include "common/threads/worker.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace vigil::alerts {

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

  void take(rules::Evaluation evaluation) override;
  void delivered(notify::Delivery delivery) override;
  void action_ended(std::string run, actions::Outcome outcome) override;
  void reload(Reloaded reloaded, std::function<void()> adopted) override;
  void forget_host(std::string instance) override;
  void put_silence(silences::Silence silence, std::function<void(Result<std::string>)> done) override;
  void expire_silence(std::string id, std::function<void(Result<void>)> done) override;
  void acknowledge(std::string id, Acknowledgement by, std::function<void(Result<void>)> done) override;
  void explain(std::string id, std::function<void(Result<Explanation>)> done) override;
  void dead_letters(std::size_t most, std::function<void(Result<DeadLetters>)> done) override;
  void resend(LetterChoice choice, std::function<void(Result<Resent>)> done) override;
  void drop(LetterChoice choice, std::function<void(Result<Dropped>)> done) override;

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
  RoutingPtr routing() const override;
  Counters counters() const override;
  const Worker& worker() const override { return worker_; }

 private:
  using Transitions = std::vector<Transition>;
  struct ChosenLetters {
    std::vector<DeadLetter> letters;
    std::int64_t next = 0;  // see Resent
  };

  void adopt(const rules::RuleSetPtr& rules) {
    rules_ = rules;
    live_rules_.clear();
    for (const rules::RulePtr& rule : rules->rules()) live_rules_.insert(rule.get());
  }

  /// Of which alerts: those that wait for their time, or, before an end, all that there are.
  enum class Clocks : std::uint8_t { that_decide, all };

  // Everything below runs on the worker.
  void drain();
  void drop_forgotten(rules::Evaluation& evaluation) const;
  void beat();
  void keep_clocks(Clocks which);
  void settle(const Transitions& transitions);
  void began(const Transition& transition);
  void calmed(const Alert& alert);
  std::vector<notify::Evidence> evidence_of(const Alert& alert);
  void ended(const Transition& transition);
  void announce();
  void announce_calm();
  std::set<std::string> held_by_routes(std::int64_t now_ms) const;
  std::vector<std::string> receivers_of(const notify::Notification& note) const;
  void say(Alert& alert, notify::Kind kind);
  void tell_groups();
  void escalate();
  Result<void> know_all(const silences::MaintenancePlan& plan) const;
  void maintain();
  void tell_runs();
  void write_series();
  bool commit();
  actions::Run as_it_is(const actions::Run& run) const;
  void upkeep();
  Result<void> take_acknowledgement(const std::string& id, Acknowledgement by);
  Alert with_rule(StoredAlert stored) const;
  Result<void> restore_resolved();
  Result<AlertInfo> find(const std::string& id);
  Result<Explanation> explanation_of(const std::string& id);
  Result<ChosenLetters> chosen_letters(const LetterChoice& choice);
  Result<Resent> send_again(const LetterChoice& choice);
  Result<Dropped> forget(const LetterChoice& choice);

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
  Grouping grouping_;
  std::deque<AlertInfo> resolved_;  // newest last
  Counters counters_;

  // The worker's own.
  Ledger ledger_{store_};
  std::set<std::string> unannounced_;  // firing, nobody told yet
  std::set<std::string> calmed_;       // told that they flap, and not yet that they do not any more
  std::set<std::string> held_back_;    // those of them that an inhibitor or a silence keeps back
  EvidenceRound evidence_;
  Acting acting_;
  AlertSeries series_;
  std::map<std::string, std::int64_t, std::less<>> forgotten_;  // hosts, and when
  std::int64_t next_upkeep_ms_ = 0;
  std::int64_t last_beat_ms_ = 0;
  std::int64_t started_ms_ = 0;
  Worker worker_{"alerts"};
};

}  // namespace vigil::alerts
