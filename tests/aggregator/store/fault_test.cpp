// Failing disks: what was acknowledged is there afterwards, and nothing is acknowledged that is not.
#include "tests/aggregator/store/fault_vfs.h"
#include "tests/aggregator/store/folder_fixture.h"

namespace vigil::aggregator {
namespace {

using testing::clear_fault;
using testing::Fault;
using testing::fault_happened;
using testing::make_batch;
using testing::make_host;
using testing::make_sealed;
using testing::make_stream;
using testing::open_history;
using testing::set_fault;
using testing::TemporaryFolder;

const SourceKey kNode{"node", 1000};

HistoryOptions faulty_options(const std::filesystem::path& folder) {
  HistoryOptions options = testing::test_options(folder);
  options.vfs = testing::fault_vfs();
  options.now_ms = [] { return std::int64_t{60'000}; };  // the day is not over: no compaction
  return options;
}

std::vector<std::uint64_t> one_to(std::uint64_t last) {
  std::vector<std::uint64_t> seqs;
  for (std::uint64_t seq = 1; seq <= last; ++seq) seqs.push_back(seq);
  return seqs;
}

// Batches 1 to 12 with a seal of 1 to 6 in the middle; stops at the first refusal.
void run_scenario(History& history) {
  if (!history.put_host(make_host(0))) return;
  for (std::uint64_t seq = 1; seq <= 12; ++seq) {
    if (!history.journal(make_batch(0, seq, 3000))) return;
    if (seq % 3 == 0 && !history.sync()) return;
    if (seq != 6) continue;
    if (!history.seal(0, {{kNode, make_sealed(1000, 6)}}, {{make_stream(0), 6, 6}})) return;
    if (!history.sync()) return;
  }
  (void)history.tidy();
}

// After a restart on a healthy disk: everything acknowledged is in blocks or journal, once.
void check_recovered(const std::filesystem::path& folder, const std::vector<std::uint64_t>& durable) {
  const auto open = open_history(faulty_options(folder));
  const std::uint64_t last = durable.empty() ? 0 : durable.back();
  REQUIRE(durable == one_to(last));
  if (last == 0) return;
  REQUIRE(open->recovered.hosts.size() == 1);
  REQUIRE(open->recovered.hosts[0].cursors.size() == 1);
  const Cursor cursor = open->recovered.hosts[0].cursors[0];
  REQUIRE(cursor.durable_seq >= last);
  const auto blocks = open->history->read(0, {}, 0, 1'000'000);
  REQUIRE(blocks);
  REQUIRE(blocks->size() >= (cursor.sealed_seq == 6 ? 1 : 0));  // its cursor is saved after it
  std::uint64_t next = cursor.sealed_seq + 1;
  for (const JournalEntry& entry : open->replayed) {
    if (entry.seq <= cursor.sealed_seq) continue;
    REQUIRE(entry == make_batch(0, next, 3000));
    ++next;
  }
  REQUIRE(next == cursor.durable_seq + 1);
}

}  // namespace

TEST_CASE("Whichever write or sync fails, nothing acknowledged is lost and the process is told to end") {
  const Fault fault = GENERATE(Fault::write_error, Fault::sync_error);
  int at = 1;
  for (;; ++at) {
    REQUIRE(at < 500);
    const TemporaryFolder folder;
    std::vector<std::uint64_t> durable;
    bool went_wrong = false;
    {
      const auto open = open_history(faulty_options(folder.path()));
      set_fault(fault, at);
      run_scenario(*open->history);
      went_wrong = fault_happened();
      clear_fault();
      const HistoryHealth health = open->history->health();
      REQUIRE((health.state == HistoryState::failed) == went_wrong);
      if (went_wrong) {
        CHECK_FALSE(open->history->journal(make_batch(0, 99)));
        CHECK(open->history->sync().error().code == Errc::io);
      }
      open->history->close();
      REQUIRE(open->fatal.size() == (went_wrong ? 1 : 0));
      durable = open->durable();
    }
    check_recovered(folder.path(), durable);
    if (!went_wrong) {
      REQUIRE(durable == one_to(12));
      break;
    }
  }
  CHECK(at > (fault == Fault::write_error ? 10 : 4));  // the scenario met the fault at all its calls
}

TEST_CASE("A full disk stops acknowledging, keeps answering, and goes on alone when there is space") {
  for (int at = 1; at < 60; at += 4) {
    const TemporaryFolder folder;
    std::vector<std::uint64_t> durable;
    {
      const auto open = open_history(faulty_options(folder.path()));
      History& history = *open->history;
      REQUIRE(history.put_host(make_host(0)));
      for (std::uint64_t seq = 1; seq <= 3; ++seq) REQUIRE(history.journal(make_batch(0, seq, 3000)));
      REQUIRE(history.seal(0, {{kNode, make_sealed(500'000, 3)}}, {}));
      REQUIRE(history.sync());

      set_fault(Fault::no_space, at);
      bool full = false;
      for (std::uint64_t seq = 4; seq <= 20; ++seq) {
        REQUIRE(history.journal(make_batch(0, seq, 3000)));
        const auto synced = history.sync();
        if (synced) continue;
        full = true;
        CHECK(synced.error().code == Errc::limit);
        CHECK(history.health().state == HistoryState::full);
        CHECK(open->durable().size() < seq);
        CHECK(history.read(0, {}, 0, 1'000'000).value().size() == 1);
      }
      REQUIRE(full == fault_happened());
      clear_fault();
      REQUIRE(history.sync());
      CHECK(history.health().state == HistoryState::ok);
      CHECK(open->fatal.empty());
      durable = open->durable();
    }
    REQUIRE(durable == one_to(20));
    const auto open = open_history(faulty_options(folder.path()));
    REQUIRE(open->replayed.size() == 20);
    for (std::uint64_t seq = 1; seq <= 20; ++seq) CHECK(open->replayed[seq - 1] == make_batch(0, seq, 3000));
  }
}

TEST_CASE("While the disk is full the queue stays within its bound") {
  const TemporaryFolder folder;
  HistoryOptions options = faulty_options(folder.path());
  options.queue_bytes = 100'000;
  const auto open = open_history(options);
  REQUIRE(open->history->put_host(make_host(0)));
  REQUIRE(open->history->sync());
  set_fault(Fault::no_space, 1);
  std::uint64_t seq = 1;
  for (; open->history->journal(make_batch(0, seq, 3000)); ++seq) {
    REQUIRE(open->history->sync().error().code == Errc::limit);
    REQUIRE(seq < 100);
  }
  CHECK(open->history->stats().queued_bytes <= 100'000);
  clear_fault();
  REQUIRE(open->history->sync());
  CHECK(open->durable() == one_to(seq - 1));
  CHECK(open->history->journal(make_batch(0, seq, 3000)));
}

}  // namespace vigil::aggregator
