// Maintenance: a silence with a purpose. People are told in advance, at its begin and at its end; questions
// are asked before and after; what fired meanwhile is told once, at the end.
//
// The plan stands in the silence. What was done of it, for one time of a silence that may come again, is its
// progress: a pure state machine whose steps the owner takes and stores. Times are Unix milliseconds.
//
//   planned -> announced (once per notice) -> begun -> ended
//                                         \-> cancelled
#pragma once

#include "common/error.h"

#include <chrono>
#include <cstdint>
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
};

/// What is wrong with it. Receivers are the owner's to check.
Result<void> check(const MaintenancePlan& plan);

/// JSON of a plan, within that of its silence.
std::string encode(const MaintenancePlan& plan);
Result<MaintenancePlan> decode_plan(std::string_view json);

/// cancelled: it was announced and comes no more.
enum class MaintenanceStep : std::uint8_t { notice, begin, end, cancelled };
std::string_view to_string(MaintenanceStep step);

/// What was done of one time of a maintenance.
struct MaintenanceProgress {
  std::int64_t begin_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t noticed_ms = 0;  // the begin of that notice that was told last, before begin_ms; 0: none
  bool begun = false;
  bool ended = false;
  std::vector<std::string> running;  // containers that ran at its begin, as "host/name"

  friend bool operator==(const MaintenanceProgress&, const MaintenanceProgress&) = default;
};
std::string encode(const MaintenanceProgress& progress);
Result<MaintenanceProgress> decode_progress(std::string_view json);

/// The next step that is due at `now_ms`, noted in `progress`; nothing when there is none. Call it until
/// then. A time that passed altogether while nobody looked is left out.
std::optional<MaintenanceStep> next_step(const Silence& silence, MaintenanceProgress& progress,
                                         std::int64_t now_ms);

}  // namespace vigil::silences
