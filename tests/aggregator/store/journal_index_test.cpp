#include "aggregator/store/journal_index.h"

#include "tests/aggregator/store/folder_fixture.h"

namespace vigil::aggregator {

using testing::make_batch;
using testing::make_host;
using testing::make_sealed;
using testing::make_stream;
using testing::open_history;
using testing::TemporaryFolder;
using testing::test_options;

TEST_CASE("Streams that were replaced and sealed are known no more: agents begin one with each start") {
  JournalIndex index;
  for (std::int64_t row = 1; row <= 1000; ++row) {
    JournalIndex::StreamKey key{7, {}};
    key.stream[0] = static_cast<std::uint8_t>(row);
    key.stream[1] = static_cast<std::uint8_t>(row >> 8);
    index.add_group(row, 10);
    index.add_entry(row, key, 1);
    index.settle(key, kNothingNeeded);
    for (const std::int64_t file : index.settled_files()) index.forget_file(file);
    index.forget_settled_streams();
  }
  CHECK(index.streams() == 0);
  CHECK(index.file_numbers().empty());
}

TEST_CASE("A stream that goes on, or of which something is left, stays known") {
  JournalIndex index;
  const JournalIndex::StreamKey replaced{1, make_stream(1)};
  const JournalIndex::StreamKey present{1, make_stream(2)};
  index.add_group(1, 10);
  index.add_entry(1, replaced, 5);
  index.add_entry(1, present, 9);
  index.settle(replaced, kNothingNeeded);
  index.settle(present, 10);
  index.reopen(replaced);
  index.add_entry(1, replaced, 6);
  index.forget_settled_streams();
  CHECK(index.knows(replaced));
  CHECK(index.needed_seq(present) == 10);
  CHECK(index.settled_files().empty());
  index.settle_host(1);
  index.forget_settled_streams();
  CHECK(index.streams() == 0);
  CHECK(index.settled_files() == std::vector<std::int64_t>{1});
}

TEST_CASE("A stream that comes back in the very commit that gives it up is kept") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->journal(make_batch(0, 1)));
    REQUIRE(open->history->sync());
    REQUIRE(open->history->seal(0, {{{"node", 1000}, make_sealed(1000, 5)}},
                                {{make_stream(0), 1, kNothingNeeded}}));
    REQUIRE(open->history->journal(make_batch(0, 2)));
    REQUIRE(open->history->sync());
    CHECK(open->durable() == std::vector<std::uint64_t>{1, 2});
  }
  const auto open = open_history(test_options(folder.path()));
  REQUIRE_FALSE(open->replayed.empty());
  CHECK(open->replayed.back() == make_batch(0, 2));
}

TEST_CASE("A stream that was given up and comes back after a while is kept") {
  const TemporaryFolder folder;
  {
    const auto open = open_history(test_options(folder.path()));
    REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->journal(make_batch(0, 1)));
    REQUIRE(open->history->sync());
    REQUIRE(open->history->seal(0, {}, {{make_stream(0), 1, kNothingNeeded}}));
    REQUIRE(open->history->sync());  // nothing is known of it from here on
    REQUIRE(open->history->journal(make_batch(0, 2)));
    REQUIRE(open->history->sync());
  }
  const auto open = open_history(test_options(folder.path()));
  REQUIRE_FALSE(open->replayed.empty());
  CHECK(open->replayed.back() == make_batch(0, 2));
}

}  // namespace vigil::aggregator
