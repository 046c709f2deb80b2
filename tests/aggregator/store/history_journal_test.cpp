// The journal as the history uses it: when entries are durable, in which order they come back, and when they
// go.
#include "aggregator/store/history.h"
#include "tests/aggregator/store/folder_fixture.h"

#include <fstream>

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

std::vector<std::uint64_t> seqs_of(const std::vector<JournalEntry>& entries) {
  std::vector<std::uint64_t> seqs;
  for (const JournalEntry& entry : entries) {
    if (entry.kind == EntryKind::batch) seqs.push_back(entry.seq);
  }
  return seqs;
}

}  // namespace

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

TEST_CASE("What a journal that was cut off lacks is not called durable any more: agents send it again") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    for (std::uint64_t seq = 1; seq <= 10; ++seq) {
      REQUIRE(open->history->journal(make_batch(0, seq)));
      REQUIRE(open->history->sync());
    }
    REQUIRE(open->history->seal(0, {{kNode, make_sealed(1000, 4)}}, {{make_stream(0), 4, 4}}));
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (!entry.path().filename().string().starts_with("journal-")) continue;
    if (entry.path().extension() == ".db-wal") std::filesystem::resize_file(entry.path(), 4096);
  }
  const auto open = open_history(test_options(folder.path()));
  CHECK(open->replayed.empty());
  CHECK(open->recovered.hosts[0].cursors == std::vector<Cursor>{{make_stream(0), 4, 4}});
}

TEST_CASE("A folder without its index is refused, whether the index is missing or empty") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->journal(make_batch(0, 1)));
  }
  const auto index = folder.path() / "history.db";
  std::filesystem::remove(index);
  if (GENERATE(false, true)) std::ofstream(index).close();
  const auto refused = testing::try_open_history(test_options(folder.path()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::corrupt);
  CHECK(refused.error().message.find("history.db is missing or empty, but there is journal-1.db") !=
        std::string::npos);
}

TEST_CASE("An index that is older than its files gives none of their ids and numbers again") {
  const TemporaryFolder folder;
  const auto index = folder.path() / "history.db";
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->put_series(0, {make_series(0), make_series(1)}));
    REQUIRE(open->history->seal(0, {{kNode, make_sealed(1000, 10, 2)}}, {}));
    REQUIRE(open->history->sync());
  }
  std::filesystem::copy_file(index, folder.path() / "older");
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(1)));
    REQUIRE(open->history->put_series(0, {make_series(2)}));
    REQUIRE(open->history->seal(0, {{kNode, make_sealed(61'000, 10, 3)}}, {}));
    REQUIRE(open->history->seal(1, {{kNode, make_sealed(61'000, 10, 3)}}, {}));
    REQUIRE(open->history->journal(make_batch(1, 1)));
    REQUIRE(open->history->sync());
  }
  std::filesystem::rename(folder.path() / "older", index);
  std::ofstream(folder.path() / "raw-19700102-77.db").close();
  {
    const auto open = open_history(test_options(folder.path()));
    const auto& hosts = open->recovered.hosts;
    REQUIRE(hosts.size() == 2);
    CHECK(hosts[1].host.removed);
    REQUIRE(hosts[0].series.size() == 3);
    CHECK(hosts[0].series[2].spec.name == "vigil_lost_series");
    CHECK(open->history->stats().lost_names == 2);
    REQUIRE(open->history->put_host(make_host(2)));
    REQUIRE(open->history->put_series(2, {make_series(0)}));
    REQUIRE(open->history->seal(2, {{kNode, make_sealed(86'400'000, 10, 1)}}, {}));  // a new file
    REQUIRE(open->history->sync());
  }
  const auto open = open_history(test_options(folder.path()));
  CHECK(open->history->stats().lost_names == 0);  // they are known now
  REQUIRE(open->recovered.hosts.size() == 3);
  std::int64_t number = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    const std::string name = entry.path().filename();
    if (name.starts_with("raw-19700102-") && name.ends_with(".db") && !name.ends_with("-77.db"))
      number = std::stol(name.substr(std::string("raw-19700102-").size()));
  }
  CHECK(number > 77);
}

TEST_CASE("A number that was damaged makes no million of hosts or series") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->put_series(0, {make_series(0)}));
    REQUIRE(open->history->seal(0, {{kNode, make_sealed(1000, 10, 1)}}, {}));
    REQUIRE(open->history->sync());
  }
  const char* harm =
      GENERATE("UPDATE block_index SET host=1073741824", "UPDATE block_index SET last_series=1099511627776",
               "UPDATE block_index SET host=-1");
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("raw-") || !name.ends_with(".db")) continue;
    auto database = Database::open(entry.path(), Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute(harm));
  }
  const auto open = open_history(test_options(folder.path()));
  CHECK(open->recovered.hosts.size() == 1);
  CHECK(open->recovered.hosts[0].series.size() == 1);
  CHECK(open->history->stats().lost_names == 0);
}

TEST_CASE("A journal that had something in it and has nothing is told of") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->journal(make_batch(0, 1)));
    REQUIRE(open->history->tidy());
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("journal-") || !name.ends_with(".db")) continue;
    auto database = Database::open(entry.path(), Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute("DELETE FROM entry_group"));
  }
  CHECK(open_history(test_options(folder.path()))->history->stats().missing_files == 1);
}

TEST_CASE("A file that somebody removed is told of, one that was never made is not") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->journal(make_batch(0, 1)));
    REQUIRE(open->history->seal(0, {{kNode, make_sealed(1000, 10)}}, {{make_stream(0), 1, kNothingNeeded}}));
    REQUIRE(open->history->tidy());
  }
  CHECK(open_history(test_options(folder.path()))->history->stats().missing_files == 0);
  std::filesystem::path raw;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    if (entry.path().filename().string().starts_with("raw-")) raw = entry.path();
  REQUIRE(std::filesystem::remove(raw));
  CHECK(open_history(test_options(folder.path()))->history->stats().missing_files == 1);
  CHECK(open_history(test_options(folder.path()))->history->stats().missing_files ==
        0);  // told once, then forgotten
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

}  // namespace vigil::aggregator
