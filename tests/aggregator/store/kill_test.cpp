// kill -9: a child journals and seals and tells which batches are durable; the parent kills it at some
// instant, opens the folder and finds every acknowledged batch exactly once, in a block or in the journal.
//
// VIGIL_KILLS=N: so many in all. VIGIL_SEED=N draws other instants.
#include "tests/aggregator/store/folder_fixture.h"
#include "tests/support/from_environment.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

namespace vigil::aggregator {
namespace {

using testing::make_batch;
using testing::make_host;
using testing::make_stream;
using testing::open_history;
using testing::TemporaryFolder;

constexpr std::uint64_t kKills = 300;
constexpr std::uint64_t kKillsPerFolder = 50;
constexpr std::uint64_t kSealEvery = 17;
constexpr std::uint64_t kMostSealed = 1000;
constexpr std::uint64_t kKeyframeEvery = 5;
const SourceKey kNode{"node", 1000};

struct Progress {
  std::uint64_t durable = 0;
  std::uint64_t sealed = 0;
};

HistoryOptions quick_options(const std::filesystem::path& folder) {
  HistoryOptions options = testing::test_options(folder);
  options.commit_interval = std::chrono::milliseconds(1);
  options.commit_bytes = 2000;
  return options;
}

Progress progress_of(const Recovered& recovered) {
  if (recovered.hosts.empty() || recovered.hosts[0].cursors.empty()) return {};
  const Cursor& cursor = recovered.hosts[0].cursors.back();
  return {cursor.durable_seq, cursor.sealed_seq};
}

// Row of batch `seq`: time seq * 1000, value seq * seq.
void seal_rows(History& history, std::uint64_t first, std::uint64_t last) {
  Block block;
  block.series = {0};
  for (std::uint64_t seq = first; seq <= last; ++seq) {
    block.times_ms.push_back(static_cast<std::int64_t>(seq) * 1000);
    block.values.push_back(static_cast<std::int64_t>(seq * seq));
  }
  auto sealed = SealedBlock::open(seal(block));
  if (!sealed) _exit(3);
  const std::uint64_t keyframe = (last + 1) / kKeyframeEvery * kKeyframeEvery;
  if (!history.seal(0, {{kNode, *sealed}}, {{make_stream(0), last, keyframe}})) _exit(3);
}

// Never returns: it is killed.
[[noreturn]] void run_child(const std::filesystem::path& folder, int acks) {
  auto history = History::open(quick_options(folder));
  if (!history) _exit(2);
  const auto recovered = (*history)->recover();
  if (!recovered || !(*history)->replay([](const JournalEntry&) {})) _exit(2);
  Progress progress = progress_of(*recovered);
  (*history)->start({[acks](std::span<const DurableBatch> batches) {
                       for (const DurableBatch& batch : batches)
                         (void)!write(acks, &batch.seq, sizeof batch.seq);
                     },
                     nullptr});
  if (!(*history)->put_host(make_host(0))) _exit(2);
  for (std::uint64_t seq = progress.durable + 1;; ++seq) {
    if (!(*history)->journal(make_batch(0, seq))) _exit(2);
    if (seq % 64 == 0 && !(*history)->sync()) _exit(2);   // or the queue would run far ahead of the disk
    if (seq % 256 == 0 && !(*history)->tidy()) _exit(4);  // cursors are saved, journals go
    if (seq - progress.sealed < kSealEvery) continue;
    const std::uint64_t last = std::min(seq, progress.sealed + kMostSealed);
    seal_rows(**history, progress.sealed + 1, last);
    progress.sealed = last;
  }
}

// Lets a child run until it acknowledged `acks` batches more, kills it, and returns the last one acknowledged
// (0: none).
std::uint64_t run_and_kill(const std::filesystem::path& folder, std::uint64_t acks) {
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    close(pipe_ends[0]);
    run_child(folder, pipe_ends[1]);
  }
  close(pipe_ends[1]);
  std::uint64_t last = 0;
  std::uint64_t seq = 0;
  for (std::uint64_t count = 0; read(pipe_ends[0], &seq, sizeof seq) == sizeof seq; ++count) {
    last = seq;
    if (count == acks) kill(child, SIGKILL);
  }
  close(pipe_ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  INFO("exit status " << WEXITSTATUS(status));
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
  return last;
}

// Rows may be in two blocks, when the cursor was not saved before the end; whoever reads takes each time
// once.
void check_blocks(const History& history, const Progress& progress) {
  const auto blocks = history.read(0, {}, 0, std::numeric_limits<std::int64_t>::max());
  REQUIRE(blocks);
  std::uint64_t last = 0;
  for (const auto& block : *blocks) {
    const auto rows = block->decode();
    REQUIRE(rows);
    for (std::size_t i = 0; i < rows->times_ms.size(); ++i) {
      const auto seq = static_cast<std::uint64_t>(rows->times_ms[i]) / 1000;
      REQUIRE(seq <= last + 1);
      REQUIRE(rows->values[i] == static_cast<std::int64_t>(seq * seq));
      last = std::max(last, seq);
    }
  }
  REQUIRE(last >= progress.sealed);
  REQUIRE(last <= progress.durable);
}

Progress check_folder(const std::filesystem::path& folder) {
  const auto open = open_history(quick_options(folder));
  const Progress progress = progress_of(open->recovered);
  check_blocks(*open->history, progress);
  std::uint64_t next = progress.sealed + 1;
  for (const JournalEntry& entry : open->replayed) {
    REQUIRE(entry == make_batch(0, entry.seq));
    if (entry.seq <= progress.sealed) continue;
    REQUIRE(entry.seq == next);
    ++next;
  }
  REQUIRE(next == progress.durable + 1);
  if (!open->replayed.empty()) REQUIRE(open->replayed.front().seq <= progress.sealed + 1);
  return progress;
}

}  // namespace

TEST_CASE("Killed at any instant, the history has every acknowledged batch exactly once") {
  const std::uint64_t kills = vigil::testing::number_from_environment("VIGIL_KILLS", kKills);
  const vigil::testing::Progress progress("kills of a writing process", kills);
  std::mt19937_64 random(vigil::testing::number_from_environment("VIGIL_SEED", 2026));
  for (std::uint64_t done = 0; done < kills;) {
    const TemporaryFolder folder;
    std::uint64_t acknowledged = 0;
    for (std::uint64_t i = 0; i < kKillsPerFolder && done < kills; ++i, ++done) {
      acknowledged = std::max(acknowledged, run_and_kill(folder.path(), random() % 120));
      const Progress reached = check_folder(folder.path());
      REQUIRE(reached.durable >= acknowledged);
      progress.at(done + 1);
    }
    CHECK(acknowledged > 0);
  }
}

}  // namespace vigil::aggregator
