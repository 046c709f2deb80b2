#include "tests/aggregator/store/day_fixture.h"

namespace vigil::aggregator::testing {

HistoryOptions DayFolder::options() {
  HistoryOptions options = test_options(folder.path());
  options.now_ms = [this] { return now_ms; };
  return options;
}

void put_slots(History& history, std::int64_t first_ms, std::int64_t slots) {
  for (std::int64_t slot = 0; slot < slots; ++slot)
    REQUIRE(history.seal(0, {{{"node", 1000}, make_sealed(first_ms + slot * 120'000, 120)}}, {}));
}

std::unique_ptr<OpenHistory> open_after_a_day(DayFolder& at) {
  auto open = open_history(at.options());
  History& history = *open->history;
  REQUIRE(history.put_host(make_host(0)));
  REQUIRE(history.put_series(0, {make_series(0), make_series(1), make_series(2)}));
  put_slots(history, kSomeDay, 60);
  REQUIRE(history.sync());
  at.now_ms = kSomeDay + kDayMs + kHourMs;
  REQUIRE(history.tidy());
  put_slots(history, kSomeDay + kDayMs, 5);
  REQUIRE(history.journal(make_schema(0, 1, "schema")));
  for (std::uint64_t seq = 1; seq <= 3; ++seq) REQUIRE(history.journal(make_batch(0, seq)));
  REQUIRE(history.sync());
  REQUIRE(history.seal(0, {{{"node", 1000}, make_sealed(kSomeDay + kDayMs + 600'000, 120)}},
                       {{make_stream(0), 1, 1}}));
  REQUIRE(history.tidy());
  return open;
}

std::vector<std::int64_t> times_of(const History& history) {
  std::vector<std::int64_t> times;
  const auto blocks = history.read(0, {}, 0, kSomeDay + 100 * kDayMs);
  REQUIRE(blocks);
  for (const auto& block : *blocks) {
    const auto rows = block->times();
    REQUIRE(rows);
    times.insert(times.end(), rows->begin(), rows->end());
  }
  return times;
}

std::set<std::string> databases_in(const std::filesystem::path& folder) {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.ends_with(".db")) found.insert(name);
  }
  return found;
}

std::string named(const std::filesystem::path& folder, std::string_view prefix) {
  for (const std::string& name : databases_in(folder)) {
    if (name.starts_with(prefix)) return name;
  }
  FAIL("no database is called " << prefix);
  return {};
}

}  // namespace vigil::aggregator::testing
