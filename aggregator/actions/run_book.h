// All runs of actions: what may begin, what must wait, and what is left out. Pure; times come in as
// arguments. Owned by the alert service, which stores what changed() names before it starts anything.
//
//   needs_approval -> queued -> running -> succeeded, failed, unknown
//   and instead of running: dry_run, skipped, rejected, expired, cancelled
// A run begins once. What was under way when the aggregator stopped is unknown, and is not tried again:
// restarting a service twice is worse than looking at it.
#pragma once

#include "aggregator/actions/config.h"
#include "aggregator/actions/run.h"
#include "common/error.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::actions {

using ActionsPtr = std::shared_ptr<const std::vector<ActionConfig>>;

/// Runs are forgotten after so long, or when there are more.
inline constexpr std::int64_t kKeepRunsMs = 90LL * 86'400'000;
inline constexpr std::size_t kMostRuns = 10'000;

/// An action is wanted.
struct Order {
  std::string action;
  Trigger trigger = Trigger::firing;
  Subject subject;
  std::string author;  // of a manual one
  std::string comment;
  std::string effect;  // PromQL
  bool dry_run = false;
};

/// Somebody decides about a run that needs approval.
struct Decision {
  bool approve = false;
  std::string author;
  std::string comment;
};

class RunBook {
 public:
  explicit RunBook(ActionsPtr actions) : actions_(std::move(actions)) {}

  /// Puts back what was stored; once, before anything else. What ran is unknown now.
  void restore(std::vector<Run> runs, std::int64_t now_ms);
  /// Other actions: what waits for one that is not there any more is cancelled.
  void adopt(ActionsPtr actions, std::int64_t now_ms);

  /// What becomes of it at once. Errc::not_found: there is no such action.
  Result<Run> ask(const Order& order, const std::string& id, std::int64_t now_ms);
  /// Errc::not_found, Errc::invalid_argument when several begin so, Errc::conflict when it needs no approval.
  Result<Run> decide(const std::string& id, const Decision& decision, std::int64_t now_ms);
  /// The alert is over: what waits on account of its firing does not begin.
  void end_alert(const std::string& fingerprint, std::int64_t now_ms);
  /// What nobody decided about in time expires, what is old is forgotten.
  void expire(std::int64_t now_ms);

  /// Ids of those that may begin now, in the order they were asked for. They count as running from here on.
  std::vector<std::string> begin_due(std::int64_t now_ms);
  /// They could not be stored: they wait again.
  void take_back(const std::string& id);
  /// It ended. Null when it is none of those that run.
  const Run* end(const std::string& id, Outcome outcome, std::int64_t now_ms);

  /// Those whose effect is to be looked at now.
  std::vector<std::string> measurable(std::int64_t now_ms) const;
  void note_before(const std::string& id, std::optional<double> value);
  void note_after(const std::string& id, std::optional<double> value);

  const Run* find(const std::string& id) const;
  /// The one whose id begins so. Errc::not_found, Errc::invalid_argument.
  Result<const Run*> find_short(const std::string& id) const;
  /// The oldest first.
  const std::vector<std::shared_ptr<Run>>& runs() const { return runs_; }
  /// Of one alert, the oldest first.
  std::vector<Run> of_alert(const std::string& fingerprint) const;
  const ActionConfig* action(std::string_view name) const;
  const std::vector<ActionConfig>& actions() const { return *actions_; }
  /// How many of them run now.
  std::size_t running(std::string_view action) const;

  const std::set<std::string>& changed() const { return changed_; }
  /// Ids to be stored, and ids to be removed, since the last call.
  std::set<std::string> take_changed();
  std::set<std::string> take_forgotten();

 private:
  Run* at(const std::string& id);
  void settle(Run& run, RunState state, std::string reason, std::int64_t now_ms);
  std::string hindrance(const ActionConfig& action, const std::string& host, bool dry_run,
                        std::int64_t now_ms) const;
  void cancel_orphan(Run& run, std::int64_t now_ms);
  void forget(std::size_t count);

  ActionsPtr actions_;
  std::vector<std::shared_ptr<Run>> runs_;
  std::map<std::string, std::shared_ptr<Run>, std::less<>> by_id_;
  std::int64_t last_number_ = 0;
  std::set<std::string> changed_;
  std::set<std::string> forgotten_;
};

}  // namespace vigil::actions
