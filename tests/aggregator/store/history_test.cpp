#include "aggregator/store/history.h"

#include "tests/aggregator/store/folder_fixture.h"

#include <sqlite3.h>
#include <sys/stat.h>

namespace vigil::aggregator {
namespace {

using testing::make_batch;
using testing::make_host;
using testing::make_sealed;
using testing::make_series;
using testing::make_stream;
using testing::open_history;
using testing::TemporaryFolder;
using testing::test_options;

const SourceKey kNode{"node", 1000};
const SourceKey kContainers{"container", 10000};

std::vector<std::uint64_t> seqs_of(const std::vector<JournalEntry>& entries) {
  std::vector<std::uint64_t> seqs;
  for (const JournalEntry& entry : entries) {
    if (entry.kind == EntryKind::batch) seqs.push_back(entry.seq);
  }
  return seqs;
}

// Runs SQL on a closed file, as somebody else would.
void change_file(const std::filesystem::path& file, const char* sql) {
  auto database = Database::open(file, Access::read_write, "");  // as another vigil would
  REQUIRE(database);
  CHECK(database->execute(sql));
}

std::filesystem::path only_file(const std::filesystem::path& folder, const std::string& prefix) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(prefix) && name.ends_with(".db")) found.push_back(entry.path());
  }
  REQUIRE(found.size() == 1);
  return found.front();
}

}  // namespace

TEST_CASE("Hosts, series and cursors come back after a restart as they were put") {
  const TemporaryFolder folder;
  HostRecord second = make_host(1);
  {
    const auto open = open_history(test_options(folder.path()));
    CHECK(open->recovered.hosts.empty());
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->put_host(second));
    REQUIRE(open->history->put_series(0, {make_series(0), make_series(1, "container")}));
    REQUIRE(open->history->put_series(0, {make_series(2)}));
    second.left = true;
    second.last_seen_ms = 9000;
    REQUIRE(open->history->put_host(second));
    REQUIRE(open->history->seal(0, {{kNode, make_sealed(1000, 5)}}, {{make_stream(7), 12, 10}}));
  }
  const auto open = open_history(test_options(folder.path()));
  const auto& hosts = open->recovered.hosts;
  REQUIRE(hosts.size() == 2);
  CHECK(hosts[0].host == make_host(0));
  CHECK(hosts[1].host == second);
  REQUIRE(hosts[0].series.size() == 3);
  CHECK(hosts[0].series[0] == make_series(0));
  CHECK(hosts[0].series[1] == make_series(1, "container"));
  CHECK(hosts[0].series[2] == make_series(2));
  REQUIRE(hosts[0].cursors.size() == 1);
  CHECK(hosts[0].cursors[0] == Cursor{make_stream(7), 12, 12});
  CHECK(hosts[1].cursors.empty());
}

TEST_CASE("Ids that are not dense are refused and leave nothing behind") {
  const TemporaryFolder folder;
  const auto open = open_history(test_options(folder.path()));
  CHECK(open->history->put_host(make_host(1)).error().code == Errc::invalid_argument);
  CHECK(open->history->put_series(0, {make_series(0)}).error().code == Errc::invalid_argument);
  REQUIRE(open->history->put_host(make_host(0)));
  CHECK(open->history->put_series(0, {make_series(0), make_series(2)}).error().code ==
        Errc::invalid_argument);
  REQUIRE(open->history->put_series(0, {make_series(0)}));
  CHECK(open->history->seal(3, {}, {}).error().code == Errc::invalid_argument);
  CHECK(open->history->put_gap({3, 0, 1, ""}).error().code == Errc::invalid_argument);
  REQUIRE(open->history->sync());
}

TEST_CASE("Sealed blocks are read at once, before and after their commit, and after a restart") {
  const TemporaryFolder folder;
  const auto first = make_sealed(0, 120);
  const auto second = make_sealed(120'000, 120);
  const auto containers = make_sealed(60'000, 6, 2);
  const auto check = [&](const History& history) {
    const auto all = history.read(0, {}, 0, 1'000'000);
    REQUIRE(all);
    REQUIRE(all->size() == 3);
    CHECK((*all)[0]->bytes() == first->bytes());
    CHECK((*all)[1]->bytes() == containers->bytes());
    CHECK((*all)[2]->bytes() == second->bytes());
    CHECK(history.read(0, {}, 119'000, 119'500).value().size() == 1);
    CHECK(history.read(0, {}, 119'500, 119'600).value().empty());
    CHECK(history.read(0, {}, 120'000, 120'000).value().size() == 1);
    CHECK(history.read(0, std::vector<SeriesId>{2}, 0, 1'000'000).value().size() == 2);
    CHECK(history.read(0, std::vector<SeriesId>{9}, 0, 1'000'000).value().empty());
    CHECK(history.read(1, {}, 0, 1'000'000).value().empty());
  };
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->seal(0, {{kNode, first}, {kContainers, containers}}, {}));
    REQUIRE(open->history->seal(0, {{kNode, second}}, {}));
    check(*open->history);
    REQUIRE(open->history->sync());
    check(*open->history);
    const HistoryStats stats = open->history->stats();
    CHECK(stats.blocks == 3);
    CHECK(stats.samples == 120 * 3 * 2 + 12);
    CHECK(stats.bytes_per_sample > 0);
  }
  auto options = test_options(folder.path());
  options.cache_bytes = 0;
  const auto open = open_history(options);
  check(*open->history);
  CHECK(open->history->stats().blocks == 3);
}

TEST_CASE("Sealing the same slot twice keeps one block and counts it once") {
  const TemporaryFolder folder;
  const auto open = open_history(test_options(folder.path()));
  REQUIRE(open->history->put_host(make_host(0)));
  const bool commits_between = GENERATE(false, true);
  REQUIRE(open->history->seal(0, {{kNode, make_sealed(5000, 10)}}, {{make_stream(0), 10, 1}}));
  if (commits_between) REQUIRE(open->history->sync());
  const auto longer = make_sealed(5000, 20);
  REQUIRE(open->history->seal(0, {{kNode, longer}}, {{make_stream(0), 20, 1}}));
  const auto before = open->history->read(0, {}, 0, 100'000);
  REQUIRE(before);
  REQUIRE(before->size() == 1);
  CHECK((*before)[0]->bytes() == longer->bytes());
  REQUIRE(open->history->sync());
  const auto after = open->history->read(0, {}, 0, 100'000);
  REQUIRE(after);
  REQUIRE(after->size() == 1);
  CHECK((*after)[0]->bytes() == longer->bytes());
  CHECK(open->history->stats().blocks == 1);
  CHECK(open->history->stats().samples == 60);
  CHECK(open->history->stats().block_bytes == longer->bytes().size());
}

TEST_CASE("A block that spans more than the index allows is refused") {
  const TemporaryFolder folder;
  const auto open = open_history(test_options(folder.path()));
  REQUIRE(open->history->put_host(make_host(0)));
  CHECK(open->history->seal(0, {{kNode, make_sealed(0, 7202)}}, {}).error().code == Errc::invalid_argument);
  CHECK(open->history->seal(0, {{kNode, nullptr}}, {}).error().code == Errc::invalid_argument);
  REQUIRE(open->history->seal(0, {{kNode, make_sealed(0, 7201)}}, {}));
  CHECK(open->history->read(0, {}, 0, 0).value().size() == 1);
  REQUIRE(open->history->sync());
  CHECK(open->history->read(0, {}, 0, 0).value().size() == 1);
}

TEST_CASE("Gaps are stored once and read by range") {
  const TemporaryFolder folder;
  const auto open = open_history(test_options(folder.path()));
  REQUIRE(open->history->put_host(make_host(0)));
  const GapRecord early{0, 1000, 2000, "buffer_full"};
  const GapRecord late{0, 9000, 9500, "agent_down"};
  REQUIRE(open->history->put_gap(late));
  REQUIRE(open->history->put_gap(early));
  REQUIRE(open->history->put_gap(early));
  REQUIRE(open->history->sync());
  CHECK(open->history->gaps(0, 0, 10'000).value() == std::vector<GapRecord>{early, late});
  CHECK(open->history->gaps(0, 2000, 8999).value() == std::vector<GapRecord>{early});
  CHECK(open->history->gaps(0, 2001, 8999).value().empty());
}

constexpr std::int64_t kStart = 1'700'006'400'000;  // a midnight

TEST_CASE("The end of a run that was killed is when its lock was last touched") {
  const TemporaryFolder folder;
  { const auto open = open_history(test_options(folder.path())); }
  const auto written = std::filesystem::last_write_time(folder.path() / "lock");
  const std::int64_t written_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                      std::chrono::file_clock::to_sys(written).time_since_epoch())
                                      .count();
  const auto alive_after = [&](std::int64_t noted_ms) {
    change_file(folder.path() / "history.db",
                fmt::format("DELETE FROM run; INSERT INTO run VALUES(1000, {})", noted_ms).c_str());
    const auto open = open_history(test_options(folder.path()));
    return open->history->runs().value().at(0).alive_ms;
  };
  CHECK(alive_after(written_ms - 50'000) >= written_ms);
  CHECK(alive_after(written_ms - 500'000) == written_ms - 500'000);  // somebody copied the file
}

TEST_CASE("Runs of the aggregator are noted, and one ends when the clock is set") {
  const TemporaryFolder folder;
  std::atomic<std::int64_t> now = 5'000'000;
  auto options = test_options(folder.path());
  options.now_ms = [&] { return now.load(); };
  {
    const auto open = open_history(options);
    CHECK(open->history->runs().value() == std::vector<RunRecord>{{5'000'000, 5'000'000}});
    now = 5'100'000;
    CHECK(open->history->runs().value() == std::vector<RunRecord>{{5'000'000, 5'100'000}});
  }
  now = 6'000'000;
  const auto open = open_history(options);
  now = 6'001'000;
  CHECK(open->history->runs().value() ==
        std::vector<RunRecord>{{5'000'000, 5'100'000}, {6'000'000, 6'001'000}});
  now = 9'000'000;  // the clock was set, or the machine slept
  REQUIRE(open->history->tidy());
  CHECK(open->history->runs().value() ==
        std::vector<RunRecord>{{5'000'000, 5'100'000}, {6'000'000, 6'000'000}, {9'000'000, 9'000'000}});
}

TEST_CASE("Retention by time removes old days and gaps, and a clock that jumps ahead removes nothing more") {
  const TemporaryFolder folder;
  auto options = test_options(folder.path());
  options.keep[0].keep = options.keep[2].keep = std::chrono::hours(48);
  const std::int64_t now = kStart + GENERATE(10 * kDayMs, 10'000 * kDayMs);
  options.now_ms = [now] { return now; };
  const auto open = open_history(options);
  REQUIRE(open->history->put_host(make_host(0)));
  for (std::int64_t day = 0; day < 10; ++day) {
    REQUIRE(open->history->seal(0, {{kNode, make_sealed(kStart + day * kDayMs, 3600)}}, {}));
    REQUIRE(open->history->put_gap({0, kStart + day * kDayMs, kStart + day * kDayMs + 1, "x"}));
  }
  REQUIRE(open->history->tidy());
  // The newest sample is of day 9, 0:59:59: day 7 ends within 48 h of it.
  CHECK(open->history->read(0, {}, kStart, now).value().size() == 3);
  CHECK(open->history->gaps(0, kStart, now).value().size() == 2);
  CHECK(open->history->stats().blocks == 3);
  CHECK(open->history->stats().retired_blocks == 7);
  CHECK(open->history->stats().samples == 3 * 3 * 3600);
  CHECK(open->history->complete_from_ms(Tier::raw) == kStart + 7 * kDayMs);

  // What comes late for a day that is gone is counted, not kept.
  REQUIRE(open->history->seal(0, {{kNode, make_sealed(kStart + 5 * kDayMs, 60)}}, {}));
  REQUIRE(open->history->tidy());
  CHECK(open->history->stats().too_old_blocks == 1);
  CHECK(open->history->stats().blocks == 3);
}

TEST_CASE("Retention by bytes removes the oldest days until the rest fits, but never the newest") {
  const TemporaryFolder folder;
  auto options = test_options(folder.path());
  options.now_ms = [] { return kStart + 20 * kDayMs; };
  options.keep[0].max_bytes = GENERATE(std::uint64_t{300'000}, std::uint64_t{1});
  const auto open = open_history(options);
  REQUIRE(open->history->put_host(make_host(0)));
  for (std::int64_t day = 0; day < 12; ++day) {
    for (std::int64_t slot = 0; slot < 20; ++slot) {
      Block noisy;
      noisy.series = {0, 1, 2, 3};
      for (std::int64_t row = 0; row < 600; ++row)
        noisy.times_ms.push_back(kStart + day * kDayMs + (slot * 600 + row) * 1000);
      for (std::size_t cell = 0; cell < 2400; ++cell)
        noisy.values.push_back(
            static_cast<std::int64_t>((cell * 2654435761U + static_cast<std::size_t>(slot * 977)) % 100'003));
      REQUIRE(open->history->seal(0, {{kNode, SealedBlock::open(seal(noisy)).value()}}, {}));
    }
  }
  REQUIRE(open->history->tidy());
  const HistoryStats stats = open->history->stats();
  const auto left = open->history->read(0, {}, kStart, kStart + 20 * kDayMs);
  REQUIRE(left);
  CHECK(left->back()->last_ms() == kStart + 11 * kDayMs + 11'999'000);
  if (options.keep[0].max_bytes == 1) {
    CHECK(stats.tiers[0].files == 1);
  } else {
    CHECK(stats.tiers[0].disk_bytes <= 300'000);
    CHECK(stats.tiers[0].files > 1);
    CHECK(stats.tiers[0].files < 12);
  }
  CHECK(stats.tiers[1].oldest_ms == kStart);  // minutes live longer
}

TEST_CASE("A second history on the same folder is refused and says who holds it") {
  const TemporaryFolder folder;
  const auto open = open_history(test_options(folder.path()));
  const auto second = History::open(test_options(folder.path()));
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::conflict);
  CHECK(second.error().message.find(fmt::format("process {}", getpid())) != std::string::npos);
}

TEST_CASE("A file that is no database is refused as corrupt") {
  const TemporaryFolder folder;
  std::FILE* file = std::fopen((folder.path() / "history.db").c_str(), "w");
  REQUIRE(file != nullptr);
  for (int i = 0; i < 1000; ++i) std::fputs("not a database ", file);
  std::fclose(file);
  CHECK(History::open(test_options(folder.path())).error().code == Errc::corrupt);
}

TEST_CASE("A damaged block and a damaged journal group lose only themselves") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    for (std::int64_t slot = 0; slot < 3; ++slot) {
      REQUIRE(open->history->seal(0, {{kNode, make_sealed(slot * 120'000, 120)}}, {}));
      REQUIRE(open->history->journal(make_batch(0, static_cast<std::uint64_t>(slot) + 1)));
      REQUIRE(open->history->sync());
    }
  }
  change_file(only_file(folder.path(), "raw-"), "UPDATE block SET data=zeroblob(length(data)) WHERE id=2");
  change_file(only_file(folder.path(), "journal-"), "UPDATE entry_group SET entries=x'00' WHERE id=2");
  const auto open = open_history(test_options(folder.path()));
  CHECK(seqs_of(open->replayed) == std::vector<std::uint64_t>{1, 3});
  CHECK(open->replay_result.damaged_groups == 1);
  CHECK(open->history->stats().damaged_groups == 1);
  const auto blocks = open->history->read(0, {}, 0, 1'000'000);
  REQUIRE(blocks);
  REQUIRE(blocks->size() == 2);
  CHECK((*blocks)[1]->first_ms() == 240'000);
  CHECK(open->history->stats().damaged_blocks == 1);
}

TEST_CASE("Folder and files are for their owner only, and a clean stop leaves an empty WAL") {
  const TemporaryFolder folder;
  const auto data = folder.path() / "data";
  const auto open = open_history(test_options(data));
  REQUIRE(open->history->put_host(make_host(0)));
  REQUIRE(open->history->sync());
  const auto mode_of = [](const std::filesystem::path& path) {
    struct stat info {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    return info.st_mode & 0777U;
  };
  CHECK(mode_of(data) == 0700);
  CHECK(mode_of(data / "history.db") == 0600);
  CHECK(mode_of(data / "history.db-wal") == 0600);
  CHECK(open->history->stats().disk_bytes > 4096);
  open->history->close();
  CHECK(open->history->sync().error().code == Errc::unavailable);
  std::error_code absent;
  const auto wal = std::filesystem::file_size(data / "history.db-wal", absent);
  CHECK((absent || wal == 0));
}

}  // namespace vigil::aggregator
