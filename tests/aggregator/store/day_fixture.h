// A history that has lived through a day: what maintenance and backups are tried on.
#pragma once

#include "tests/aggregator/store/folder_fixture.h"

#include <set>
#include <string>
#include <vector>

namespace vigil::aggregator::testing {

inline constexpr std::int64_t kSomeDay = 1'700'006'400'000;  // a midnight

/// Its clock stands where the test puts it.
struct DayFolder {
  TemporaryFolder folder;
  std::int64_t now_ms = kSomeDay + 12 * kHourMs;
  HistoryOptions options();
};

/// Seals `slots` blocks of two minutes from `first_ms` on: a row a second of three series of host 0.
void put_slots(History& history, std::int64_t first_ms, std::int64_t slots);

/// A compacted day, its rows by minute and hour, blocks of the day after, a cursor, and batches 1 to 3 in the
/// journal.
std::unique_ptr<OpenHistory> open_after_a_day(DayFolder& at);

/// Times of all raw rows of host 0, in the order of reading.
std::vector<std::int64_t> times_of(const History& history);

/// Names of the databases in a folder.
std::set<std::string> databases_in(const std::filesystem::path& folder);
/// The one whose name begins so.
std::string named(const std::filesystem::path& folder, std::string_view prefix);

}  // namespace vigil::aggregator::testing
