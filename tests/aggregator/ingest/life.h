// An aggregator's life in one thread, from a start on a folder to its end, so that a test can have many.
#pragma once

#include "aggregator/fleet/fleet_rows.h"
#include "aggregator/head/fleet_view.h"
#include "aggregator/head/shard_set.h"
#include "aggregator/ingest/intake.h"
#include "aggregator/ingest/recovery.h"
#include "tests/aggregator/ingest/fake_agent.h"
#include "tests/aggregator/store/folder_fixture.h"
#include "tests/support/catch.h"

namespace vigil::aggregator::testing {

/// What a process has of the aggregator between a start and an end: history, one shard, intake. Everything
/// happens in the calls; commits when told to.
struct Life {
  explicit Life(const std::filesystem::path& folder, std::int64_t now = kT0, ShardOptions limits = {},
                std::int64_t clock_ms = kT0, std::array<TierKeep, 3> keep = {})
      : clock(clock_ms) {
    HistoryOptions options = test_options(folder);
    options.keep = keep;
    options.now_ms = [this] { return clock.load(); };
    auto opened = History::open(std::move(options));
    REQUIRE(opened);
    history = std::move(*opened);
    shards = std::make_unique<ShardSet>(1, limits, history.get());
    intake = std::make_unique<Intake>(shards->at(0), counters, IntakeOptions{}, Pace{delivery, backfill});
    auto recovered = recover(*history, *shards, now);
    REQUIRE(recovered);
    summary = *recovered;
    history->start({[this](std::span<const DurableBatch> batches) {
                      const std::lock_guard lock(mutex);
                      durable.insert(durable.end(), batches.begin(), batches.end());
                    },
                    [](const Error&) {}});
    REQUIRE(load_window(*history, *shards, now));
  }

  /// The commit, and what follows from it on the shard.
  void commit(std::int64_t now = kT0) {
    REQUIRE(history->sync());
    std::vector<DurableBatch> done;
    {
      const std::lock_guard lock(mutex);
      done.swap(durable);
    }
    intake->durable(done, now);
  }
  std::shared_ptr<FakeLink> connect(const FakeAgent& agent, std::uint64_t first_kept = 0) {
    auto link = std::make_shared<FakeLink>();
    intake->open(agent.greeting(first_kept), link, kT0);
    return link;
  }
  void send(const std::shared_ptr<FakeLink>& link, const v1::AgentMessage& message) {
    intake->feed(link.get(), message.SerializeAsString(), kT0);
  }
  Host& host(const std::string& name = "web-1") { return *shards->at(0).find(name); }
  std::string values(const std::string& name, const std::string& of = "web-1") {
    std::vector<promql::SelectedSeries> found;
    REQUIRE(
        read_slice(host(of).head.slice(everything_of(name)), history.get(), {0, kT0 * 2, 1'000'000}, found));
    return text_of(found);
  }

  std::atomic<std::int64_t> clock;  // the history's
  self::Registry registry;
  IngestCounters counters{registry};
  std::atomic<std::uint32_t> delivery{1000};
  Backfill backfill;
  RecoverySummary summary;
  std::mutex mutex;
  std::vector<DurableBatch> durable;  // protected by mutex
  std::unique_ptr<History> history;   // closed last
  std::unique_ptr<ShardSet> shards;
  std::unique_ptr<Intake> intake;

  ~Life() { history.reset(); }
};

}  // namespace vigil::aggregator::testing
