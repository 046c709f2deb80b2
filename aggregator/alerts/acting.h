// Actions of alerts: which rules want which, what may begin, and what it was good for. A run is stored before
// it begins. Belongs to the alert service's worker; anybody may look at snapshots.
#pragma once

#include "aggregator/actions/run_book.h"
#include "aggregator/alerts/alert.h"
#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/ledger.h"
#include "aggregator/alerts/meta_store.h"
#include "common/error.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vigil::alerts {

/// Begins a run, or asks who does. False: nobody does any more.
using Perform = std::function<bool(const actions::ActionConfig& action, const actions::Run& run)>;

/// Errc::invalid_argument names the place of each action that a rule wants and nobody configured.
Result<void> check_actions(const rules::RuleSet& rules, const std::vector<actions::ActionConfig>& actions);

class Acting {
 public:
  Acting(actions::ActionsPtr actions, Ask ask) : book_(std::move(actions)), ask_(std::move(ask)) {}

  Result<void> restore(MetaStore& store, std::int64_t now_ms);
  std::size_t damaged() const { return damaged_; }
  /// May be empty: then nothing begins.
  void set_perform(Perform perform) { perform_ = std::move(perform); }
  void adopt(actions::ActionsPtr actions, std::int64_t now_ms);

  /// The alert is told of: what its rule wants is asked for.
  void fire(const Alert& alert, std::int64_t now_ms);
  void resolve(const Alert& alert, std::int64_t now_ms);
  Result<actions::Run> ask(actions::Order order, std::int64_t now_ms);
  Result<actions::Run> decide(const std::string& id, const actions::Decision& decision, std::int64_t now_ms);
  void undo_ask(const std::string& id, std::int64_t now_ms);
  void undo_decision(const std::string& id);
  void end(const std::string& id, actions::Outcome outcome, std::int64_t now_ms);

  /// What the time brings: runs that expire, and those that may begin.
  void step(std::int64_t now_ms);
  /// Looks at what runs were good for, some at a time: it may ask the storage.
  void measure(std::int64_t now_ms);
  /// Adds what is to be stored; to be followed by stored() or refused().
  void put(Ledger::Company& company);
  /// It is on the disk: what was waiting for that begins.
  void stored();
  void refused();

  /// The evidence of an alert shows its runs as they are now, those since it fired: messages and pages tell
  /// of them.
  void tell(const std::string& fingerprint, std::int64_t fired_at_ms,
            std::vector<notify::Evidence>& evidence) const;
  void tell(Alert& alert) const { tell(alert.fingerprint, alert.fired_at_ms, alert.evidence); }
  /// Fingerprints of alerts whose runs are not as they were when put() was called last.
  std::set<std::string> touched() const;

  /// Errc::invalid_argument names the one that is not there, and those that are.
  Result<void> know(const std::vector<std::string>& names) const;

  // Any thread:
  /// Nothing begins any more.
  void hold() { is_held_ = true; }
  std::optional<actions::Run> find(const std::string& id) const;
  std::vector<actions::Run> select(const actions::RunQuery& query) const;
  std::map<std::string, actions::RunFigures> figures() const;
  std::vector<actions::Run> of_alert(const std::string& fingerprint) const;
  std::vector<actions::ActionConfig> actions() const;

 private:
  void want(const Alert& alert, bool on_resolved, std::int64_t now_ms);
  static std::string effect_of(const actions::ActionConfig& action, const actions::Order& order,
                               std::int64_t now_ms);
  std::optional<double> value_of(const actions::Run& run, std::int64_t now_ms) const;

  mutable std::mutex mutex_;  // protects book_; the worker alone changes it
  actions::RunBook book_;
  const Ask ask_;
  std::atomic<bool> is_held_ = false;

  // The worker's own:
  Perform perform_;
  std::vector<std::string> beginning_;  // they begin once they are stored
  std::set<std::string> unstored_;
  std::set<std::string> forgotten_;
  std::size_t damaged_ = 0;
};

}  // namespace vigil::alerts
