// Takes evaluations in, keeps alerts in the book and on disk, and hands what people must hear to the
// notifier.
//
// One worker owns book and meta.db. Evaluations that arrive together are one transaction: alert rows, history
// and outbox rows; only then the notifier is told. Should the disk refuse (full, broken), messages go out
// from memory and the alerts are written as soon as it accepts again: better twice after a crash than never.
#pragma once

#include "aggregator/actions/run_book.h"
#include "aggregator/alerts/acting.h"
#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/dead_letters.h"
#include "aggregator/alerts/evidence.h"
#include "aggregator/alerts/explanation.h"
#include "aggregator/alerts/grouping.h"
#include "aggregator/alerts/listing.h"
#include "aggregator/notify/notifier.h"
#include "aggregator/rules/evaluation.h"
#include "aggregator/rules/recording.h"
#include "aggregator/silences/silence_book.h"
#include "common/error.h"
#include "common/threads/worker.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace vigil::alerts {

struct Counters {
  std::uint64_t evaluations = 0;  // taken in; only those with something to say arrive here
  std::uint64_t transitions = 0;
  std::uint64_t notifications = 0;  // put into the outbox, one per receiver
  std::uint64_t inhibited = 0;      // alerts whose message was held back by another
  std::uint64_t silenced = 0;       // alerts whose message was held back by a silence
  std::uint64_t commits = 0;
  std::uint64_t commit_failures = 0;
  std::uint64_t superseded = 0;  // evaluations replaced by newer ones while they waited
  std::uint64_t missed = 0;      // rounds of fleet rules that an earlier one took the time of
  std::size_t pending = 0;
  std::size_t firing = 0;
  std::int64_t last_commit_ns = 0;  // how long the latest transaction took
};

struct AlertServiceOptions {
  std::string path;  // of meta.db
  /// Unix milliseconds; tests script it.
  std::function<std::int64_t()> now_ms;
  EvidenceCollector evidence;     // may be empty
  Ask ask{};                      // of texts that ask the storage; within bounds; may be empty
  rules::RecordSink records{};    // takes ALERTS and ALERTS_FOR_STATE; may be empty
  RoutingPtr routing{};           // of alertmanager.yml; null: there is none
  actions::ActionsPtr actions{};  // null: there are none
  bool ran_before = false;  // an aggregator left data beside meta.db: without meta.db, something is lost
  std::function<std::int64_t()> patient_ms{};  // by which what is kept gets old; empty: now_ms
  /// So long after our start each host has dialled anew, or is down.
  std::chrono::milliseconds hosts_return{0};
};

class AlertService {
 public:
  /// Opens or creates meta.db and restores alerts and outbox. One that SQLite cannot read is set aside, and a
  /// new one begun: see loss(). Errc::unsupported: it is newer, or another program's.
  static Result<std::unique_ptr<AlertService>> open(const AlertServiceOptions& options,
                                                    const rules::RuleSetPtr& rules);
  virtual ~AlertService() = default;

  /// What was active when meta.db was opened: for HostRules and FleetRules.
  virtual rules::KnownAlertsPtr known() const = 0;
  /// Why alerts, silences and messages of earlier runs are lost, as a sentence; "": they are not.
  virtual const std::string& loss() const = 0;

  /// The receiver of messages; before start(). The outbox of earlier runs goes to it in start(). It is
  /// stopped before this, and not called after stop().
  virtual void set_notifier(notify::Notifier& notifier) = 0;
  /// Begins runs of actions; before start(). Called on the service's thread.
  virtual void set_perform(Perform perform) = 0;
  /// No run begins any more: those that are due wait for the next start. Any thread.
  virtual void hold_actions() = 0;
  virtual void start() = 0;
  virtual void stop() = 0;

  // Any thread:
  virtual void take(rules::Evaluation evaluation) = 0;  // a rules::Sink
  virtual void delivered(notify::Delivery delivery) = 0;
  virtual void action_ended(std::string run, actions::Outcome outcome) = 0;
  /// What another reading of the files gave: null stays as it was. `adopted` is called on the service's
  /// thread once all are in force; not after stop().
  struct Reloaded {
    rules::RuleSetPtr rules;
    RoutingPtr routing{};
    actions::ActionsPtr actions{};
    /// Takes what CurrentRules::hand_over() is to have; called before `adopted`, if there is anything.
    std::function<void(rules::KnownAlertsPtr)> moved{};
  };
  virtual void reload(Reloaded reloaded, std::function<void()> adopted = {}) = 0;
  virtual void forget_host(std::string instance) = 0;
  /// A new silence, or the change of one: see silences::SilenceBook::put(). `done` is called on the service's
  /// thread, with the id once it is on the disk; not after stop().
  virtual void put_silence(silences::Silence silence, std::function<void(Result<std::string>)> done) = 0;
  virtual void expire_silence(std::string id, std::function<void(Result<void>)> done) = 0;

  /// Somebody looks after a firing alert, or, without an author, does not any more. Errc::not_found,
  /// Errc::conflict when it does not fire. `done` is called on the service's thread once it is on the disk;
  /// not after stop().
  virtual void acknowledge(std::string id, Acknowledgement by, std::function<void(Result<void>)> done) = 0;

  /// Why one of alerts() is as it is; the beginning of its id is enough. Errc::not_found,
  /// Errc::invalid_argument when several begin so. `done` is called on the service's thread; not after
  /// stop().
  virtual void explain(std::string id, std::function<void(Result<Explanation>)> done) = 0;

  /// Messages that were given up: which there are, and what becomes of some of them. Errc::not_found names
  /// ids of a choice that are not there; Errc::conflict one of them that is not to be sent. Then nothing is
  /// done. `done` is called on the service's thread once it is on the disk; not after stop(). Of all of them
  /// one call takes as many as one turn of that thread should.
  virtual void dead_letters(std::size_t most, std::function<void(Result<DeadLetters>)> done) = 0;
  virtual void resend(LetterChoice choice, std::function<void(Result<Resent>)> done) = 0;
  virtual void drop(LetterChoice choice, std::function<void(Result<Dropped>)> done) = 0;

  /// Asks for a run of an action, and decides about one: see actions::RunBook. `done` is called on the
  /// service's thread once it is on the disk; not after stop().
  virtual void run_action(actions::Order order, std::function<void(Result<actions::Run>)> done) = 0;
  virtual void decide_run(std::string id, actions::Decision decision,
                          std::function<void(Result<actions::Run>)> done) = 0;

  /// Actions of the configuration, and their runs.
  virtual std::vector<actions::ActionConfig> actions() const = 0;
  virtual std::vector<actions::Run> runs(const actions::RunQuery& query) const = 0;
  virtual std::map<std::string, actions::RunFigures> run_figures() const = 0;

  /// Pending and firing alerts, worst first, then those resolved within the last 15 minutes.
  virtual std::vector<AlertInfo> alerts() const = 0;
  virtual std::vector<RuleInfo> rules() const = 0;
  /// All silences as they are now; those that are over for 5 days are forgotten.
  virtual std::shared_ptr<const silences::SilenceBook> silences() const = 0;
  /// alertmanager.yml as it is in force; null: there is none.
  virtual RoutingPtr routing() const = 0;
  virtual Counters counters() const = 0;
  virtual const Worker& worker() const = 0;
};

/// AlertService::explain() and its kin for who may wait; Errc::unavailable when it takes too long.
Result<Explanation> explain(AlertService& service, std::string id);
Result<void> acknowledge(AlertService& service, std::string id, Acknowledgement by);
Result<DeadLetters> dead_letters(AlertService& service, std::size_t most = kMostDeadListed);
/// Turn by turn, until all are taken. What went before a failure stays done.
Result<Resent> resend(AlertService& service, LetterChoice choice);
Result<std::uint64_t> drop(AlertService& service, LetterChoice choice);
Result<actions::Run> run_action(AlertService& service, actions::Order order);
Result<actions::Run> decide_run(AlertService& service, std::string id, actions::Decision decision);

}  // namespace vigil::alerts
