// What becomes of a day that is over, through the history's public face.
#include "aggregator/store/rollup.h"
#include "tests/aggregator/store/folder_fixture.h"

#include <set>

namespace vigil::aggregator {
namespace {

using testing::make_host;
using testing::make_series;
using testing::open_history;
using testing::TemporaryFolder;
using testing::test_options;

constexpr std::int64_t kDay = 1'700'006'400'000;  // a midnight
const SourceKey kNode{"node", 1000};

struct Folder {
  TemporaryFolder folder;
  std::int64_t now_ms = kDay + 12 * kHourMs;
  HistoryOptions options() {
    HistoryOptions options = test_options(folder.path());
    options.now_ms = [this] { return now_ms; };
    return options;
  }
};

std::shared_ptr<const SealedBlock> sealed(std::vector<std::int64_t> times, std::vector<std::int64_t> values) {
  return SealedBlock::open(seal({{0}, std::move(times), std::move(values)})).value();
}

/// A row a second from `first_ms` on, whose value is the number of seconds since the day began.
std::shared_ptr<const SealedBlock> two_minutes(std::int64_t first_ms) {
  std::vector<std::int64_t> times;
  std::vector<std::int64_t> values;
  for (std::int64_t row = 0; row < 120; ++row) {
    times.push_back(first_ms + row * 1000);
    values.push_back((times.back() - kDay) / 1000);
  }
  return sealed(std::move(times), std::move(values));
}

void put_day(History& history, std::int64_t slots) {
  REQUIRE(history.put_host(make_host(0)));
  SeriesRecord gauge = make_series(0);
  gauge.spec.type = SeriesType::gauge;
  REQUIRE(history.put_series(0, {gauge}));
  for (std::int64_t slot = 0; slot < slots; ++slot)
    REQUIRE(history.seal(0, {{kNode, two_minutes(kDay + slot * 120'000)}}, {}));
  REQUIRE(history.sync());
}

std::vector<std::pair<std::int64_t, std::int64_t>> rows_of(const History& history) {
  std::vector<std::pair<std::int64_t, std::int64_t>> rows;
  const auto blocks = history.read(0, {}, 0, kDay + 100 * kDayMs);
  REQUIRE(blocks);
  for (const auto& each : *blocks) {
    const auto block = each->decode();
    REQUIRE(block);
    for (std::size_t row = 0; row < block->times_ms.size(); ++row)
      rows.emplace_back(block->times_ms[row], block->values[row]);
  }
  return rows;
}

std::int64_t sum_of(const History& history, Tier tier, Aggregate aggregate) {
  const auto blocks = history.read_tier(tier, 0, 0, kDay + 100 * kDayMs);
  REQUIRE(blocks);
  std::int64_t sum = 0;
  for (const auto& block : *blocks) {
    for (std::size_t column = 0; column < block->series().size(); ++column) {
      if (block->series()[column] != tier_column(0, aggregate)) continue;
      for (const std::int64_t value : block->column(column).value()) sum += value == kAbsent ? 0 : value;
    }
  }
  return sum;
}

std::set<std::string> names(const std::filesystem::path& folder) {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.ends_with(".db")) found.insert(name.substr(0, name.rfind('-')));
  }
  return found;
}

}  // namespace

TEST_CASE("A day that is over becomes long blocks and rows by minute and hour, and reads as before") {
  Folder at;
  const auto open = open_history(at.options());
  History& history = *open->history;
  put_day(history, 90);  // three hours
  const auto before = rows_of(history);
  REQUIRE(before.size() == 90 * 120);

  REQUIRE(history.tidy());
  CHECK(history.stats().blocks == 90);  // the day goes on
  at.now_ms = kDay + kDayMs + kHourMs;
  REQUIRE(history.tidy());
  CHECK(history.stats().blocks == 3);
  CHECK(history.stats().samples == before.size());
  CHECK(rows_of(history) == before);
  CHECK(names(at.folder.path()) ==
        std::set<std::string>{"history.db", "hour-2023", "minute-202311", "raw-20231115"});

  CHECK(history.stats().tiers[1].blocks == 3);
  CHECK(sum_of(history, Tier::minute, Aggregate::count) == 90 * 120);
  CHECK(sum_of(history, Tier::hour, Aggregate::count) == 90 * 120);
  CHECK(sum_of(history, Tier::minute, Aggregate::sum) == 10'800LL * 10'799 / 2);
  CHECK(sum_of(history, Tier::hour, Aggregate::sum) == 10'800LL * 10'799 / 2);
  CHECK(sum_of(history, Tier::hour, Aggregate::last) == 3599 + 7199 + 10'799);
}

TEST_CASE("What was compacted is there after a restart, and so are its tiers") {
  Folder at;
  {
    const auto open = open_history(at.options());
    put_day(*open->history, 31);
    at.now_ms += kDayMs;
    REQUIRE(open->history->tidy());
  }
  const auto open = open_history(at.options());
  CHECK(rows_of(*open->history).size() == 31 * 120);
  CHECK(open->history->stats().blocks == 2);
  CHECK(sum_of(*open->history, Tier::minute, Aggregate::count) == 31 * 120);
}

TEST_CASE("Late blocks of a day that was compacted are read with it, and its tiers are made anew") {
  Folder at;
  const auto open = open_history(at.options());
  History& history = *open->history;
  put_day(history, 30);
  at.now_ms = kDay + 2 * kDayMs;
  REQUIRE(history.tidy());
  REQUIRE(sum_of(history, Tier::hour, Aggregate::count) == 30 * 120);

  for (std::int64_t late = 0; late < 6; ++late) {
    REQUIRE(history.seal(0, {{kNode, two_minutes(kDay + (40 + late) * 120'000)}}, {}));
    REQUIRE(history.sync());
    CHECK(rows_of(history).size() == static_cast<std::size_t>(31 + late) * 120);
    REQUIRE(history.tidy());
    CHECK(rows_of(history).size() == static_cast<std::size_t>(31 + late) * 120);
    CHECK(sum_of(history, Tier::hour, Aggregate::count) == (31 + late) * 120);
    CHECK(sum_of(history, Tier::minute, Aggregate::count) == (31 + late) * 120);
    CHECK(history.stats().tiers[0].files <= 5);  // many small ones become one
  }
}

TEST_CASE("Rows that a crash had sealed twice are counted once in the tiers") {
  Folder at;
  const auto open = open_history(at.options());
  History& history = *open->history;
  put_day(history, 2);
  std::vector<std::int64_t> times;
  std::vector<std::int64_t> values;
  for (std::int64_t row = 60; row < 180; ++row) {
    times.push_back(kDay + row * 1000);
    values.push_back(row);
  }
  REQUIRE(history.seal(0, {{kNode, sealed(times, values)}}, {}));
  at.now_ms += kDayMs;
  REQUIRE(history.tidy());
  CHECK(rows_of(history).size() == 240);
  CHECK(sum_of(history, Tier::minute, Aggregate::count) == 240);
}

TEST_CASE("A block of two days is divided between their files") {
  Folder at;
  const auto open = open_history(at.options());
  REQUIRE(open->history->put_host(make_host(0)));
  REQUIRE(open->history->seal(0, {{kNode, two_minutes(kDay + kDayMs - 60'000)}}, {}));
  REQUIRE(open->history->sync());
  CHECK(names(at.folder.path()).contains("raw-20231115"));
  CHECK(names(at.folder.path()).contains("raw-20231116"));
  CHECK(rows_of(*open->history).size() == 120);
}

TEST_CASE("When samples have gone by age, their minutes and hours are there still") {
  Folder at;
  HistoryOptions options = at.options();
  options.keep[0].keep = std::chrono::hours(24);
  const auto open = open_history(options);
  History& history = *open->history;
  put_day(history, 30);
  REQUIRE(history.seal(0, {{kNode, two_minutes(kDay + 5 * kDayMs)}}, {}));
  at.now_ms = kDay + 5 * kDayMs + kHourMs;
  REQUIRE(history.tidy());
  CHECK(rows_of(history).size() == 120);
  CHECK(history.complete_from_ms(Tier::raw) == kDay + kDayMs);
  CHECK(sum_of(history, Tier::minute, Aggregate::count) == 30 * 120);
}

}  // namespace vigil::aggregator
