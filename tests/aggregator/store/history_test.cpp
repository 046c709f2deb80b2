#include "aggregator/store/history.h"

#include "tests/aggregator/store/folder_fixture.h"

#include <sqlite3.h>
#include <sys/stat.h>

namespace vigil::aggregator {
namespace {

using testing::make_batch;
using testing::make_host;
using testing::make_schema;
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
  sqlite3* raw = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &raw) == SQLITE_OK);
  CHECK(sqlite3_exec(raw, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(raw);
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

TEST_CASE("A batch is durable after its commit and not before, in the order of the journal") {
  const TemporaryFolder folder;
  const auto open = open_history(test_options(folder.path()));
  REQUIRE(open->history->put_host(make_host(0)));
  for (std::uint64_t seq = 1; seq <= 5; ++seq) REQUIRE(open->history->journal(make_batch(0, seq)));
  CHECK(open->durable().empty());
  CHECK(open->history->stats().queued_bytes > 500);
  REQUIRE(open->history->sync());
  CHECK(open->durable() == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
  CHECK(open->history->stats().queued_bytes == 0);
  CHECK(open->history->stats().journal_groups == 1);
}

TEST_CASE("Entries come back bit by bit and in order, with durable_seq from the journal") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->put_host(make_host(1)));
    for (std::uint64_t seq = 1; seq <= 40; ++seq) {
      REQUIRE(open->history->journal(make_batch(0, seq, seq * 11)));
      REQUIRE(open->history->journal(make_batch(1, seq + 100, 0)));
      if (seq % 9 == 0) REQUIRE(open->history->sync());
    }
  }
  const auto open = open_history(test_options(folder.path()));
  REQUIRE(open->replayed.size() == 80);
  CHECK(open->replay_result.entries == 80);
  for (std::uint64_t seq = 1; seq <= 40; ++seq) {
    CHECK(open->replayed[(seq - 1) * 2] == make_batch(0, seq, seq * 11));
    CHECK(open->replayed[(seq - 1) * 2 + 1] == make_batch(1, seq + 100, 0));
  }
  REQUIRE(open->recovered.hosts.size() == 2);
  CHECK(open->recovered.hosts[0].cursors == std::vector<Cursor>{{make_stream(0), 40, 0}});
  CHECK(open->recovered.hosts[1].cursors == std::vector<Cursor>{{make_stream(1), 140, 0}});
}

TEST_CASE("A megabyte that waits is committed before its time, and more than the queue holds is refused") {
  const TemporaryFolder folder;
  auto options = test_options(folder.path());
  options.commit_bytes = 10'000;
  options.queue_bytes = 4'000'000;
  const auto open = open_history(options);
  REQUIRE(open->history->put_host(make_host(0)));
  CHECK_FALSE(open->history->journal(make_batch(0, 1, 5'000'000)));
  CHECK(open->history->stats().refused_entries == 1);
  CHECK_FALSE(open->history->journal(make_batch(0, std::uint64_t{1} << 63)));
  for (std::uint64_t seq = 1; seq <= 200; ++seq) REQUIRE(open->history->journal(make_batch(0, seq, 1000)));
  // The history thread was woken by the bytes; the sync only waits for it.
  REQUIRE(open->history->sync());
  CHECK(open->durable().size() == 200);
  CHECK(open->history->stats().commits >= 1);
}

TEST_CASE("A seal settles what the journal no longer needs and keeps the rest") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->put_host(make_host(1)));
    for (std::uint64_t seq = 1; seq <= 10; ++seq) {
      REQUIRE(open->history->journal(make_batch(0, seq)));
      if (seq == 5) REQUIRE(open->history->journal(make_batch(1, 1)));
      REQUIRE(open->history->sync());
    }
    CHECK(open->history->stats().journal_groups == 10);
    REQUIRE(open->history->seal(0, {{kNode, make_sealed(1000, 8)}}, {{make_stream(0), 8, 7}}));
  }
  const auto open = open_history(test_options(folder.path()));
  CHECK(seqs_of(open->replayed) == std::vector<std::uint64_t>{1, 7, 8, 9, 10});
  CHECK(open->replayed[0].host == 1);
  CHECK(open->recovered.hosts[0].cursors == std::vector<Cursor>{{make_stream(0), 10, 8}});
}

TEST_CASE("A file of the journal goes as a whole when nothing in it is needed") {
  const TemporaryFolder folder;
  const auto journals = [&] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      const std::string name = entry.path().filename();
      if (name.starts_with("journal-") && name.ends_with(".db")) ++count;
    }
    return count;
  };
  for (std::uint64_t run = 0; run < 3; ++run) {
    const auto open = open_history(test_options(folder.path()));
    if (run == 0) REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->journal(make_batch(0, run + 1)));
    REQUIRE(open->history->sync());
    CHECK(journals() == run + 1);
  }
  const auto open = open_history(test_options(folder.path()));
  CHECK(open->replayed.size() == 3);
  REQUIRE(open->history->seal(0, {{kNode, make_sealed(1000, 2)}}, {{make_stream(0), 2, 3}}));
  REQUIRE(open->history->sync());
  CHECK(journals() == 3);  // blocks are not synced yet
  REQUIRE(open->history->tidy());
  CHECK(journals() == 1);
  CHECK(open->history->stats().journal_groups == 1);
}

TEST_CASE("A stream that was replaced leaves nothing in the journal once it is settled") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->journal(make_schema(0, 1, "old")));
    for (std::uint64_t seq = 1; seq <= 3; ++seq) REQUIRE(open->history->journal(make_batch(0, seq)));
    JournalEntry fresh = make_batch(0, 1);
    fresh.stream = make_stream(9);
    REQUIRE(open->history->journal(fresh));
    REQUIRE(open->history->seal(0, {{kNode, make_sealed(1000, 4)}},
                                {{make_stream(0), 3, kNothingNeeded}, {make_stream(9), 1, 1}}));
  }
  const auto open = open_history(test_options(folder.path()));
  REQUIRE(open->replayed.size() == 1);
  CHECK(open->replayed[0].stream == make_stream(9));
  const std::vector<Cursor> expected{{make_stream(0), 3, 3}, {make_stream(9), 1, 1}};
  CHECK(open->recovered.hosts[0].cursors == expected);
}

TEST_CASE(
    "A schema is replayed before the first batch that can refer to it, and outlives the batches it came "
    "with") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->journal(make_schema(0, 1, "v1")));
    for (std::uint64_t seq = 1; seq <= 3; ++seq) REQUIRE(open->history->journal(make_batch(0, seq)));
    REQUIRE(open->history->journal(make_schema(0, 4, "v2")));
    for (std::uint64_t seq = 4; seq <= 6; ++seq) REQUIRE(open->history->journal(make_batch(0, seq)));
    REQUIRE(open->history->journal(make_schema(0, 7, "v3")));
    for (std::uint64_t seq = 7; seq <= 8; ++seq) REQUIRE(open->history->journal(make_batch(0, seq)));
    REQUIRE(open->history->sync());
    REQUIRE(open->history->seal(0, {}, {{make_stream(0), 5, 5}}));
  }
  const auto open = open_history(test_options(folder.path()));
  std::vector<std::string> order;
  for (const JournalEntry& entry : open->replayed) {
    order.push_back(entry.kind == EntryKind::schema ? entry.bytes : fmt::format("{}", entry.seq));
  }
  CHECK(order == std::vector<std::string>{"v2", "5", "6", "v3", "7", "8"});
}

TEST_CASE("What a reconnected agent sends again is replayed in its place, every schema before its batches") {
  const TemporaryFolder folder;
  const std::uint64_t needed = GENERATE(std::uint64_t{6}, std::uint64_t{8}, std::uint64_t{11});
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    const auto put_schema = [&](std::uint64_t seq, const char* bytes) {
      REQUIRE(open->history->journal(make_schema(0, seq, bytes)));
      REQUIRE(open->history->sync());  // a row of its own
    };
    const auto put_batches = [&](std::uint64_t first, std::uint64_t last) {
      for (std::uint64_t seq = first; seq <= last; ++seq) REQUIRE(open->history->journal(make_batch(0, seq)));
      REQUIRE(open->history->sync());
    };
    put_schema(1, "v1");
    put_batches(1, 7);
    put_schema(8, "v2");
    put_batches(8, 10);
    put_schema(6, "v1");  // the connection is new
    put_schema(6, "v2");
    put_batches(6, 12);
    REQUIRE(open->history->seal(0, {}, {{make_stream(0), needed - 1, needed}}));
  }
  const auto open = open_history(test_options(folder.path()));
  std::vector<std::string> order;
  for (const JournalEntry& entry : open->replayed) {
    order.push_back(entry.kind == EntryKind::schema ? entry.bytes : fmt::format("{}", entry.seq));
  }
  using Order = std::vector<std::string>;
  if (needed == 6) {
    CHECK(order ==
          Order{"v1", "6", "7", "v2", "8", "9", "10", "v1", "v2", "6", "7", "8", "9", "10", "11", "12"});
  } else if (needed == 8) {
    CHECK(order == Order{"v1", "v2", "v2", "8", "9", "10", "8", "9", "10", "11", "12"});
  } else {
    CHECK(order == Order{"v1", "v2", "11", "12"});
  }
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
  const auto longer = make_sealed(5000, 20, 3, 8);
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

TEST_CASE("A newer file is refused, and so is another program's") {
  const TemporaryFolder folder;
  open_history(test_options(folder.path()))->history->close();
  SECTION("newer") {
    change_file(folder.path() / "history.db", "PRAGMA user_version=99");
    const auto opened = History::open(test_options(folder.path()));
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::unsupported);
    CHECK(opened.error().message.find("format 99") != std::string::npos);
  }
  SECTION("another program's") {
    change_file(folder.path() / "history.db", "PRAGMA application_id=1");
    CHECK(History::open(test_options(folder.path())).error().code == Errc::unsupported);
  }
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
