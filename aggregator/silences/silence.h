// A silence: for a time, or at times that come again, alerts that its matchers match fire without a message.
// Values; times come in as arguments. How they are stored is in silence_json.h, which of them there are in
// silence_book.h.
//
//   pending   it has not begun; one that comes again: it is between two of its times
//   active    it holds messages back
//   expired   it is over, or was ended
#pragma once

#include "aggregator/calendar/recurring_window.h"
#include "aggregator/matchers/matchers.h"
#include "aggregator/silences/maintenance.h"
#include "common/error.h"
#include "common/series.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::silences {

/// The end of the year 9999: what "for ever" is.
inline constexpr std::int64_t kLatestMs = 253'402'300'799'000;

inline constexpr std::size_t kMostMatchers = 64;

enum class State : std::uint8_t { pending, active, expired };
std::string_view to_string(State state);

/// All times are Unix milliseconds.
struct Silence {
  std::string id;
  matchers::Matchers matchers;
  std::int64_t starts_ms = 0;
  std::int64_t ends_ms = 0;  // no longer; of one that comes again the end of all its times
  std::optional<calendar::RecurringWindow> window;
  std::optional<MaintenancePlan> maintenance;
  MaintenanceProgress progress{};  // of maintenance
  std::string author;
  std::string comment;
  std::int64_t updated_ms = 0;

  State state_at(std::int64_t t_ms) const;
  /// Whether it holds back the messages of an alert with these labels.
  bool mutes(const Labels& labels, std::int64_t t_ms) const;
  /// Its time that lasts at `t_ms`, or the next one: begin and end. Nothing when none comes.
  struct Time {
    std::int64_t begin_ms = 0;
    std::int64_t end_ms = 0;
  };
  std::optional<Time> time_at(std::int64_t t_ms) const;
  /// When its state is next another one; nothing when it is expired.
  std::optional<std::int64_t> next_change_ms(std::int64_t t_ms) const;
};

/// What is wrong with it: times, matchers that match everything, nobody who answers for it.
Result<void> check(const Silence& silence);

}  // namespace vigil::silences
