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
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vigil::actions {

using ActionsPtr = std::shared_ptr<const std::vector<ActionConfig>>;

/// Runs are forgotten after so long, or when there are more: first those that never began.
inline constexpr std::int64_t kKeepRunsMs = 90LL * 86'400'000;
inline constexpr std::size_t kMostRuns = 10'000;
/// One that waits for longer, for others or for the disk, would be a surprise.
inline constexpr std::int64_t kLongestWaitMs = 3'600'000;

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

/// Which runs somebody wants to see.
struct RunQuery {
  std::string action;       // "": of all
  std::string id;           // those whose id begins so
  std::string fingerprint;  // of this alert; "": of all
  bool waiting = false;     // only those that need approval
  std::size_t limit = 100;
};

/// What there is to say of an action's runs, of those that are kept.
struct RunFigures {
  std::uint64_t begun = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;  // or nobody knows
  std::uint64_t skipped = 0;
  std::uint64_t needing_approval = 0;
  std::int64_t last_started_ms = 0;
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
  /// Neither could be stored: one that has not begun does not, and a decision is as if it had not been.
  void undo_ask(const std::string& id, std::int64_t now_ms);
  void undo_decision(const std::string& id);
  /// The alert is over, or fires again: what waits on account of the other does not begin.
  void end_waiting(const std::string& fingerprint, Trigger trigger, std::int64_t now_ms);
  /// What nobody decided about in time expires, what waited for too long does not begin, and what is old is
  /// forgotten.
  void expire(std::int64_t now_ms);

  /// Ids of those that may begin now, in the order they were asked for. They count as running from here on.
  std::vector<std::string> begin_due(std::int64_t now_ms);
  /// They could not be stored, or nobody carries them out: they wait again.
  void take_back(const std::string& id);
  /// It ended; also one that was given up, should its agent answer late. Null when it is neither.
  const Run* end(const std::string& id, Outcome outcome, std::int64_t now_ms);

  /// At most `most` of those whose effect is to be looked at now.
  std::vector<std::string> measurable(std::int64_t now_ms, std::size_t most) const;
  void note_before(const std::string& id, std::optional<double> value);
  void note_after(const std::string& id, std::optional<double> value);

  const Run* find(const std::string& id) const;
  /// The latest first.
  std::vector<Run> select(const RunQuery& query) const;
  /// Of one alert, the oldest first. Good until the next call that changes the book.
  std::vector<const Run*> of_alert(const std::string& fingerprint) const;
  std::size_t size() const { return runs_.size(); }
  std::map<std::string, RunFigures> figures() const;
  const ActionConfig* action(std::string_view name) const;
  const std::vector<ActionConfig>& actions() const { return *actions_; }

  const std::set<std::string>& changed() const { return changed_; }
  /// Ids to be stored, and ids to be removed, since the last call.
  std::set<std::string> take_changed();
  std::set<std::string> take_forgotten();

 private:
  using RunPtr = std::shared_ptr<Run>;
  /// What an action has done lately, and is doing.
  struct Tally {
    std::deque<std::int64_t> begun_ms;              // of all hosts, the oldest first
    std::map<std::string, std::int64_t> latest_ms;  // by host
    std::map<std::string, int> queued;              // by host
    int all_queued = 0;
    int running = 0;
  };

  Run* at(const std::string& id);
  Result<Run*> find_short(const std::string& id);
  void add(const RunPtr& run);
  void count(const Run& run, int by);
  void set_state(Run& run, RunState state);
  void settle(Run& run, RunState state, std::string reason, std::int64_t now_ms);
  void cancel_orphan(Run& run, std::int64_t now_ms);
  void look_at_clock(std::int64_t now_ms);
  static void note_begun(Tally& tally, const std::string& host, std::int64_t at_ms);
  std::string hindrance(const ActionConfig& action, const std::string& host, bool among_dry,
                        std::int64_t now_ms);
  void forget_begun(const Run& run);
  static bool may_forget(const Run& run);
  void forget(const std::function<bool(const Run&)>& is_meant, std::size_t most);

  ActionsPtr actions_;
  std::deque<RunPtr> runs_;  // the oldest first
  std::map<std::string, RunPtr, std::less<>> by_id_;
  std::unordered_map<std::string, std::vector<RunPtr>> by_alert_;
  std::map<std::int64_t, RunPtr> open_;  // not over, by number
  std::set<std::string> unmeasured_;
  std::map<std::string, Tally> tallies_;
  std::map<std::string, Tally> dry_tallies_;  // of runs that were only noted
  std::int64_t last_number_ = 0;
  std::int64_t seen_ms_ = 0;  // the time when it was looked at last
  std::set<std::string> changed_;
  std::set<std::string> forgotten_;
};

}  // namespace vigil::actions
