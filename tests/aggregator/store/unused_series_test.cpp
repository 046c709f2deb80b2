// Which series nobody holds a block of, and that they leave for good.
#include "aggregator/store/files.h"
#include "aggregator/store/rollup.h"
#include "aggregator/store/sqlite.h"
#include "tests/aggregator/store/day_fixture.h"

#include <thread>

namespace vigil::aggregator {
namespace {

using testing::DayFolder;
using testing::kSomeDay;
using testing::make_host;
using testing::make_sealed;
using testing::make_series;
using testing::open_history;
using Ids = std::vector<SeriesId>;

constexpr std::int64_t kSlotMs = 120'000;
const SourceKey kNode{"node", 1000};

/// The next day that a year, and so all of its files, is over and a day more.
constexpr std::int64_t kNextYear = kSomeDay + 60 * kDayMs;

HistoryOptions a_day_of_each(DayFolder& at) {
  HistoryOptions options = at.options();
  for (TierKeep& tier : options.keep) tier.keep = std::chrono::hours(24);
  return options;
}

Ids unused(History& history, HostId host = 0) {
  const auto answer = history.ask_unused({host});
  REQUIRE(answer);
  while (!answer->answered) std::this_thread::yield();
  REQUIRE_FALSE(answer->failed);
  REQUIRE(answer->hosts.size() == 1);
  return answer->hosts[0].series;
}

void put_series(History& history, SeriesId first, SeriesId end) {
  std::vector<SeriesRecord> series;
  for (SeriesId id = first; id < end; ++id) series.push_back(make_series(id));
  const auto put = history.put_series(0, std::move(series));
  REQUIRE(put);
}

/// A block of series 0 to columns - 1.
void put_block(History& history, std::int64_t first_ms, std::size_t columns) {
  REQUIRE(history.seal(0, {{kNode, make_sealed(first_ms, 3, columns)}}, {}));
}

Ids ids_of(const RecoveredHost& host) {
  Ids ids;
  for (const SeriesRecord& series : host.series) ids.push_back(series.id);
  return ids;
}

void run_sql(const std::filesystem::path& path, const std::string& sql) {
  auto database = Database::open(path, Access::read_write, "");
  REQUIRE(database);
  REQUIRE(database->execute(sql.c_str()));
}

}  // namespace

TEST_CASE("A series is used while it waits, while it has samples, minutes or hours, and no longer") {
  DayFolder at;
  HistoryOptions options = at.options();
  options.keep[0].keep = std::chrono::hours(24);
  options.keep[1].keep = std::chrono::hours(24 * 40);
  options.keep[2].keep = std::chrono::hours(24 * 70);
  const auto open = open_history(options);
  History& history = *open->history;
  REQUIRE(history.put_host(make_host(0)));
  put_series(history, 0, 4);
  REQUIRE(history.sync());
  CHECK(unused(history) == Ids{0, 1, 2, 3});

  put_block(history, kSomeDay, 3);
  CHECK(unused(history) == Ids{3});  // it waits to be stored
  REQUIRE(history.sync());
  CHECK(unused(history) == Ids{3});
  const auto pass = [&](std::int64_t days) {
    const std::uint64_t before = history.retirements();
    put_block(history, kSomeDay + days * kDayMs, 1);
    at.now_ms = kSomeDay + days * kDayMs + kHourMs;
    REQUIRE(history.tidy());
    return history.retirements() - before;
  };
  CHECK(pass(1) == 0);  // compacted
  CHECK(unused(history) == Ids{3});
  CHECK(pass(5) == 1);  // no samples
  CHECK(history.complete_from_ms(Tier::raw) > kSomeDay);
  CHECK(unused(history) == Ids{3});
  CHECK(pass(60) == 2);  // no minutes
  CHECK(history.complete_from_ms(Tier::minute) > kSomeDay);
  CHECK(unused(history) == Ids{3});
  CHECK(pass(130) > 0);  // no hours
  CHECK(history.complete_from_ms(Tier::hour) > kSomeDay);
  CHECK(unused(history) == Ids{1, 2, 3});
}

TEST_CASE("Series that left are gone after a restart, and no id is given again") {
  DayFolder at;
  {
    const auto open = open_history(at.options());
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->put_host(make_host(1)));
    put_series(*open->history, 0, 6);
    REQUIRE(open->history->put_series(1, {make_series(0)}));
    REQUIRE(open->history->drop_series(0, Ids{1, 4, 5}));
    CHECK_FALSE(open->history->put_series(0, {make_series(7)}));
    put_series(*open->history, 6, 7);
    REQUIRE(open->history->drop_series(0, Ids{6}));
  }
  {
    const auto open = open_history(at.options());
    CHECK(ids_of(open->recovered.hosts[0]) == Ids{0, 2, 3});
    CHECK(open->recovered.hosts[0].next_series == 7);
    CHECK(open->recovered.hosts[1].next_series == 1);
    CHECK_FALSE(open->history->put_series(0, {make_series(8)}));
    put_series(*open->history, 7, 8);
    REQUIRE(open->history->sync());
    CHECK(open->history->check({}, {}).value().findings == 0);
    REQUIRE(open->history->forget_host([] {
      HostRecord record = make_host(0);
      record.removed = true;
      return record;
    }()));
  }
  const auto open = open_history(at.options());
  CHECK(open->recovered.hosts[0].series.empty());
  CHECK(open->recovered.hosts[0].next_series == 0);
}

TEST_CASE("A start refuses an index that lacks a series which did not leave, and a check finds it") {
  DayFolder at;
  {
    const auto open = open_history(at.options());
    REQUIRE(open->history->put_host(make_host(0)));
    put_series(*open->history, 0, 4);
    REQUIRE(open->history->drop_series(0, Ids{1}));
  }
  run_sql(at.folder.path() / kIndexFile, "DELETE FROM series WHERE id=2");
  CHECK(check_files({at.folder.path(), "", {}}, {})->findings == 1);
  const auto refused = testing::try_open_history(at.options());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::corrupt);
  CHECK(refused.error().message.ends_with("of 4 series of host 0 2 are there and 1 have left"));
}

TEST_CASE("A host whose every series left has none, and goes on with the next id") {
  DayFolder at;
  {
    const auto open = open_history(at.options());
    REQUIRE(open->history->put_host(make_host(0)));
    put_series(*open->history, 0, 3);
    REQUIRE(open->history->drop_series(0, Ids{0, 1, 2}));
    REQUIRE(open->history->sync());
    CHECK(unused(*open->history).empty());
  }
  const auto open = open_history(at.options());
  CHECK(open->recovered.hosts[0].series.empty());
  CHECK(open->recovered.hosts[0].next_series == 3);
}

TEST_CASE("A late block of a day that is over keeps its series") {
  DayFolder at;
  const auto open = open_history(a_day_of_each(at));
  History& history = *open->history;
  REQUIRE(history.put_host(make_host(0)));
  put_series(history, 0, 3);
  put_block(history, kSomeDay, 1);
  at.now_ms = kSomeDay + kDayMs + kHourMs;
  REQUIRE(history.tidy());
  CHECK(unused(history) == Ids{1, 2});
  put_block(history, kSomeDay + kSlotMs, 2);
  REQUIRE(history.tidy());
  CHECK(unused(history) == Ids{2});
  put_block(history, kNextYear, 1);
  at.now_ms = kNextYear + kHourMs;
  REQUIRE(history.tidy());
  CHECK(unused(history) == Ids{1, 2});
  put_block(history, kSomeDay, 3);  // of a day that is gone: it is left out, and so are its series
  REQUIRE(history.sync());
  CHECK(history.stats().too_old_blocks == 1);
  CHECK(unused(history) == Ids{1, 2});
}

TEST_CASE("A series that lived briefly leaves with its samples, though minutes and hours have rows of it") {
  DayFolder at;
  HistoryOptions options = at.options();
  options.keep[0].keep = std::chrono::hours(24);
  options.brief = std::chrono::hours(1);
  const auto open = open_history(options);
  History& history = *open->history;
  REQUIRE(history.put_host(make_host(0)));
  put_series(history, 0, 2);
  put_block(history, kSomeDay, 1);
  put_block(history, kSomeDay + kSlotMs, 2);
  put_block(history, kSomeDay + 2 * kSlotMs, 1);
  at.now_ms = kSomeDay + kDayMs + kHourMs;
  REQUIRE(history.tidy());
  const auto has_rows = [&](SeriesId id) {
    const auto hours = history.read_tier(Tier::hour, 0, 0, kNextYear).value();
    return std::ranges::any_of(hours.at(0)->series(),
                               [&](SeriesId column) { return column / kAggregatesPerSeries == id; });
  };
  CHECK(has_rows(1));
  CHECK(unused(history).empty());
  CHECK(history.check({}, {}).value().findings == 0);
  put_block(history, kSomeDay + 5 * kDayMs, 1);
  at.now_ms = kSomeDay + 5 * kDayMs + kHourMs;
  REQUIRE(history.tidy());
  CHECK(history.complete_from_ms(Tier::raw) > kSomeDay);
  CHECK(unused(history) == Ids{1});
}

TEST_CASE("A file of before counts as one that holds whatever lies between its series") {
  DayFolder at;
  {
    const auto open = open_history(at.options());
    REQUIRE(open->history->put_host(make_host(0)));
    put_series(*open->history, 0, 40);
    put_block(*open->history, kSomeDay, 4);
    at.now_ms = kSomeDay + kDayMs + kHourMs;
    REQUIRE(open->history->tidy());
  }
  const bool only_tiers = GENERATE(false, true);
  for (const std::string& name : testing::databases_in(at.folder.path())) {
    if (name.starts_with("raw-") || name.starts_with("hour-") || name.starts_with("minute-"))
      run_sql(at.folder.path() / name, "DROP TABLE held; PRAGMA user_version=2");
    if (only_tiers && name.starts_with("raw-")) std::filesystem::remove(at.folder.path() / name);
  }
  const auto open = open_history(at.options());
  Ids others;
  for (SeriesId id = 4; id < 40; ++id) others.push_back(id);
  CHECK(unused(*open->history) == others);
}

TEST_CASE("Where a file cannot be read, nothing is known to be unused") {
  DayFolder at;
  const auto open = open_history(at.options());
  REQUIRE(open->history->put_host(make_host(0)));
  put_series(*open->history, 0, 4);
  put_block(*open->history, kSomeDay, 1);
  REQUIRE(open->history->tidy());
  run_sql(at.folder.path() / testing::named(at.folder.path(), "raw-"), "DROP TABLE held");
  const auto answer = open->history->ask_unused({0});
  REQUIRE(answer);
  while (!answer->answered) std::this_thread::yield();
  CHECK(answer->failed);
  CHECK(answer->hosts.empty());
}

}  // namespace vigil::aggregator
