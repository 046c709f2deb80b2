// Maintenance: a silence with a purpose. People are told in advance, at its begin and at its end; questions
// are asked before and after; what fired meanwhile is told once, at the end.
//
// The plan stands in the silence. What was done of it, for one time of a silence that may come again, is its
// progress: a pure state machine whose steps the owner takes and stores. Times are Unix milliseconds.
//
//   planned -> announced (once per notice) -> begun -> ended
//                                         \-> cancelled
// Actions before and after, such as a backup, are asked for at its begin and its end; what people are told
// then waits until they are over.
#pragma once

#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::silences {

struct Silence;

/// PromQL that has a sample that is not 0 when all is well.
struct MaintenanceCheck {
  std::string name;
  std::string expr;
};

struct MaintenancePlan {
  std::string title;                               // "Database upgrade"
  std::string impact;                              // what people notice of it
  std::vector<std::string> receivers;              // who is told
  std::vector<std::chrono::milliseconds> notices;  // so long before its begin
  std::vector<MaintenanceCheck> before;
  std::vector<MaintenanceCheck> after;
  std::vector<std::string> run_before{};  // actions: "pg-dump", or of a host: "restart@web-1"
  std::vector<std::string> run_after{};
};

/// "restart" and "web-1" of "restart@web-1".
struct PlannedAction {
  std::string name;
  std::string host;
};
PlannedAction planned_action(const std::string& text);

/// What is wrong with it. Receivers are the owner's to check.
Result<void> check(const MaintenancePlan& plan);

/// JSON of a plan, within that of its silence.
std::string encode(const MaintenancePlan& plan);
Result<MaintenancePlan> decode_plan(std::string_view json);

/// ask_before and ask_after: the plan's actions are to be asked for. cancelled: it was announced and comes no
/// more.
enum class MaintenanceStep : std::uint8_t { notice, ask_before, begin, ask_after, end, cancelled };
std::string_view to_string(MaintenanceStep step);

/// What was done of one time of a maintenance.
struct MaintenanceProgress {
  std::int64_t begin_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t noticed_ms = 0;  // the begin of that notice that was told last, before begin_ms; 0: none
  bool begun = false;
  bool ended = false;
  bool told_begin = false;
  bool asked_after = false;
  std::vector<std::string> runs_before;  // ids of the runs of its actions
  std::vector<std::string> runs_after;
  std::vector<std::string> running;    // containers that ran at its begin, as "host/name"
  std::vector<std::string> missing{};  // those of them that did not at its end

  friend bool operator==(const MaintenanceProgress&, const MaintenanceProgress&) = default;
};
std::string encode(const MaintenanceProgress& progress);
Result<MaintenanceProgress> decode_progress(std::string_view json);

/// Whether runs of actions are over.
using AreOver = std::function<bool(const std::vector<std::string>& runs)>;

/// The next step that is due at `now_ms`, noted in `progress`; nothing when there is none. Call it until
/// then. A time that passed altogether while nobody looked is left out.
std::optional<MaintenanceStep> next_step(const Silence& silence, MaintenanceProgress& progress,
                                         std::int64_t now_ms, const AreOver& are_over);

}  // namespace vigil::silences
