// Failing disks: every call that can fail does so in turn, once or from then on. Nothing is acknowledged that
// is not there after a restart, also when the power goes right after the failure; what happened is told.
#include "aggregator/store/tier.h"
#include "tests/aggregator/store/day_fixture.h"
#include "tests/aggregator/store/machine.h"
#include "tests/aggregator/store/simulated_vfs.h"

#include <cerrno>
#include <cstring>

namespace vigil::aggregator {
namespace {

using namespace testing;

constexpr int kErrorActs = 14;
constexpr std::uint64_t kScenario = 3;  // the seed of its calls

const char* name_of(DiskCall call) {
  constexpr std::array kNames = {"open", "write", "sync", "truncate", "remove"};
  return kNames.at(static_cast<std::size_t>(call));
}

/// One run of the scenario against a failing disk, and what follows.
class FailingRun {
 public:
  explicit FailingRun(const DiskFault& fault) : fault_(fault), workload_(model_, kScenario) {
    disk_.set_fault(fault);
  }

  /// Whether the fault came to pass.
  bool run() {
    live();
    const bool happened = disk_.fault_happened();
    disk_.clear_fault();
    restart();
    return happened;
  }

 private:
  std::unique_ptr<OpenHistory> open() {
    auto open = try_open_history(options_of(disk_, model_),
                                 [this](const DurableBatch& batch) { model_.acknowledge(batch); });
    if (open) return std::move(*open);
    REQUIRE(disk_.fault_happened());
    REQUIRE_FALSE(open.error().message.empty());
    return nullptr;
  }

  // From the start of the process to its end, forced or not.
  void live() {
    const auto open = this->open();
    if (!open) return;
    REQUIRE(check_history(model_, *open) == Problems{});
    workload_.resume(*open);
    for (int i = 0; i < kErrorActs; ++i) {
      if (workload_.act(*open->history)) continue;
      REQUIRE(disk_.fault_happened());
      if (open->history->health().state == HistoryState::failed) return expect_failed(*open);
      recover_from_full(*open);
    }
    disk_.clear_fault();  // readers may meet it, too, and only tell
    REQUIRE(workload_.look(*open) == Problems{});
    disk_.set_fault(fault_);
    open->history->close();
    if (open->history->health().state == HistoryState::ok && !disk_.fault_happened()) model_.synced();
  }

  static void expect_failed(const OpenHistory& open) {
    REQUIRE_FALSE(open.history->health().message.empty());
    REQUIRE_FALSE(open.history->journal(make_batch(0, 99)));
    REQUIRE(open.history->sync().error().code == Errc::io);
    REQUIRE(open.fatal.size() == 1);
  }

  // Reading goes on, and so does writing when there is room.
  void recover_from_full(const OpenHistory& open) {
    REQUIRE(open.history->health().state == HistoryState::full);
    REQUIRE_FALSE(open.history->health().message.empty());
    REQUIRE(workload_.look(open) == Problems{});
    REQUIRE((fault_.error == ENOSPC || (fault_.error == EMFILE && fault_.call == DiskCall::open)));
    disk_.clear_fault();
    REQUIRE(open.history->sync());
    model_.synced();
    REQUIRE(open.history->health().state == HistoryState::ok);
    REQUIRE(open.fatal.empty());
  }

  // On a healthy disk, after the end of the process and after a power cut.
  void restart() {
    for (const Damage damage : {Damage::lost, Damage::torn_sectors}) {
      const auto image = after_power_cut(disk_.state(), damage, static_cast<std::uint64_t>(fault_.at));
      REQUIRE(open_and_check(image, model_) == Problems{});
    }
    const auto open = this->open();
    REQUIRE(open);
    REQUIRE(check_history(model_, *open) == Problems{});
    workload_.resume(*open);
    for (int i = 0; i < 3; ++i) REQUIRE(workload_.act(*open->history));
    REQUIRE(workload_.look(*open) == Problems{});
  }

  SimulatedDisk disk_;
  const DiskFault fault_;
  HistoryModel model_;
  Workload workload_;
};

// A history with one host and batches 1 to 3 of it, sealed rows besides.
std::unique_ptr<OpenHistory> open_small(const HistoryOptions& options) {
  auto open = open_history(options);
  REQUIRE(open->history->put_host(make_host(0)));
  for (std::uint64_t seq = 1; seq <= 3; ++seq) REQUIRE(open->history->journal(make_batch(0, seq, 3000)));
  REQUIRE(open->history->seal(0, {{{"node", 1000}, make_sealed(500'000, 3)}}, {}));
  REQUIRE(open->history->sync());
  return open;
}

std::vector<std::uint64_t> one_to(std::uint64_t last) {
  std::vector<std::uint64_t> seqs;
  for (std::uint64_t seq = 1; seq <= last; ++seq) seqs.push_back(seq);
  return seqs;
}

}  // namespace

TEST_CASE("Whichever call of the disk fails, nothing acknowledged is lost and the failure is told") {
  const auto call =
      GENERATE(DiskCall::open, DiskCall::write, DiskCall::sync, DiskCall::truncate, DiskCall::remove);
  const auto lasting = GENERATE(Lasting::once, Lasting::for_ever);
  const int error = GENERATE(EIO, ENOSPC, EMFILE);
  int at = 1;
  for (bool happened = true; happened; ++at) {
    REQUIRE(at < 5000);
    INFO(name_of(call) << " number " << at << ": " << std::strerror(error)
                       << (lasting == Lasting::once ? ", once" : ", from then on"));
    happened = FailingRun({call, error, at, lasting}).run();
  }
  // The scenario meets the fault at all its calls. It truncates and removes nothing in some forms of a store.
  if (call == DiskCall::write || call == DiskCall::sync) CHECK(at > 10);
}

TEST_CASE("A full disk stops acknowledging, keeps answering, and goes on alone when there is space") {
  for (int at = 1; at < 60; at += 4) {
    SimulatedDisk disk;
    const HistoryModel model;
    {
      const auto open = open_small(options_of(disk, model));
      History& history = *open->history;
      disk.set_fault({DiskCall::write, ENOSPC, at, Lasting::for_ever});
      bool full = false;
      for (std::uint64_t seq = 4; seq <= 20; ++seq) {
        REQUIRE(history.journal(make_batch(0, seq, 3000)));
        const auto synced = history.sync();
        if (synced) continue;
        full = true;
        CHECK(synced.error().code == Errc::limit);
        CHECK(history.health().state == HistoryState::full);
        // Whoever asks for a backup would look at a disk of his own.
        const auto refused = history.snapshot({});
        REQUIRE_FALSE(refused);
        CHECK(refused.error().message.find("the aggregator's data folder " + disk.folder().string()) == 0);
        CHECK(open->durable().size() < seq);
        CHECK(history.read(0, {}, 0, 1'000'000).value().size() == 1);
      }
      REQUIRE(full == disk.fault_happened());
      CHECK((full || at > 30));
      disk.clear_fault();
      REQUIRE(history.sync());
      CHECK(history.health().state == HistoryState::ok);
      CHECK(open->fatal.empty());
      CHECK(open->durable() == one_to(20));
    }
    const auto open = open_history(options_of(disk, model));
    REQUIRE(open->replayed.size() == 20);
    for (std::uint64_t seq = 1; seq <= 20; ++seq) CHECK(open->replayed[seq - 1] == make_batch(0, seq, 3000));
  }
}

TEST_CASE("A disk that fills at any instant of a compaction is given back what that had made") {
  bool happened = true;
  for (int at = 1; happened; at += 2) {
    INFO("write " << at);
    REQUIRE(at < 2000);
    SimulatedDisk disk;
    std::int64_t now_ms = kSomeDay + 12 * kHourMs;
    HistoryOptions options = test_options(disk.folder());
    options.vfs = simulated_vfs();
    options.now_ms = [&now_ms] { return now_ms; };
    const auto open = open_history(options);
    History& history = *open->history;
    REQUIRE(history.put_host(make_host(0)));
    REQUIRE(history.put_series(0, {make_series(0), make_series(1), make_series(2)}));
    put_slots(history, kSomeDay, 20);
    REQUIRE(history.sync());
    const auto before = times_of(history);
    now_ms = kSomeDay + 2 * kDayMs;
    disk.set_fault({DiskCall::write, ENOSPC, at, Lasting::for_ever});
    REQUIRE(history.journal(make_batch(0, 1)));  // the next commit meets it, too
    const auto full = history.tidy();
    happened = disk.fault_happened();
    CHECK((happened || full));
    CHECK(times_of(history) == before);
    disk.clear_fault();
    REQUIRE(history.sync());
    REQUIRE(history.tidy());
    CHECK(open->fatal.empty());
    CHECK(times_of(history) == before);
    const auto files = history.files();
    CHECK(std::ranges::count_if(files, [](const FileStats& file) { return file.kind == "raw"; }) == 1);
    CHECK(databases_in(disk.folder()).size() == files.size());
  }
}

TEST_CASE("While the disk is full the queue stays within its bound") {
  SimulatedDisk disk;
  const HistoryModel model;
  HistoryOptions options = options_of(disk, model);
  options.queue_bytes = 100'000;
  const auto open = open_small(options);
  disk.set_fault({DiskCall::write, ENOSPC, 1, Lasting::for_ever});
  std::uint64_t seq = 4;
  for (; open->history->journal(make_batch(0, seq, 3000)); ++seq) {
    REQUIRE(open->history->sync().error().code == Errc::limit);
    REQUIRE(seq < 100);
  }
  CHECK(open->history->stats().queued_bytes <= 100'000);
  disk.clear_fault();
  REQUIRE(open->history->sync());
  CHECK(open->durable() == one_to(seq - 1));
  CHECK(open->history->journal(make_batch(0, seq, 3000)));
}

}  // namespace vigil::aggregator
