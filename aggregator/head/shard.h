// One shard: a thread and the hosts that belong to it. Their heads, states, rules and streams are touched by
// this thread only; everybody else posts work to worker().
//
// Once a second it judges the presence of each host, writes what the fleet knows of it as rows, seals what is
// due, lets rules look at hosts that are silent and series go that have no data left. A failure of the
// history never stops the head: rows stay in memory and are handed over again.
#pragma once

#include "aggregator/fleet/occasion.h"
#include "aggregator/head/host.h"
#include "aggregator/head/host_directory.h"
#include "aggregator/head/leaving.h"
#include "aggregator/promql/storage.h"
#include "aggregator/store/records.h"
#include "common/error.h"
#include "common/threads/worker.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator {

class History;

struct ShardOptions {
  HeadOptions head;
  EnrolLimits enrol;
  std::int64_t down_after_ms = 15'000;
  std::int64_t retention_ms = 30LL * 86'400'000;  // older rows are refused
  std::int64_t future_ms = 600'000;               // rows further ahead of our clock are refused
  std::size_t max_series = 20'000;                // of one agent at the same time; as many new ones an hour
  std::size_t max_known_series = 1'000'000;       // of a host: those that run, and those with data
};

/// How long a host without an agent counts as one that sends: the lookback of queries.
inline constexpr std::int64_t kPushedGoneMs = 300'000;

/// Longer than any restart or upgrade of an agent: until then its alerts are kept as they are.
inline constexpr std::int64_t kLeftForGoodMs = 300'000;

/// Reason of the gap between the last sample of one machine and the first of the next under the same name.
inline constexpr std::string_view kMachineChanged = "machine_changed";

/// Rules look at a host whose samples just arrived, or which is silent. `t_ms`: our clock, or the newest row
/// when that is ahead. Of a host of which nothing has come since our start nobody knows how it is.
using HostTickHook = std::function<void(HostId host, const std::string& instance, std::int64_t t_ms,
                                        promql::Storage& storage, Occasion occasion, Covered covered)>;

/// Times of the latest rows of a batch: as sent, and of those that were taken into the head (0: none).
struct Arrival {
  std::int64_t sent_ms = 0;
  std::int64_t stored_ms = 0;
};

class Shard {
 public:
  /// `history` may be null (nothing is stored). Both outlive the shard.
  Shard(const std::string& name, const ShardOptions& options, HostDirectory& directory, History* history);

  Worker& worker() { return worker_; }
  const ShardOptions& options() const { return options_; }
  History* history() { return history_; }
  /// Before the worker starts.
  void set_hook(HostTickHook hook) { hook_ = std::move(hook); }
  /// Called once, on the shard's thread, when a host has been `left` for kLeftForGoodMs: nobody waits for it
  /// any more. Before start.
  void on_left_for_good(std::function<void(const std::string& instance)> call) {
    left_for_good_ = std::move(call);
  }

  /// Called on the shard's thread when a host was removed. Before start.
  void on_forgotten(std::function<void(HostId host, const std::string& instance)> call) {
    forgotten_ = std::move(call);
  }

  // What follows belongs to the shard's thread (before it starts: to whoever prepares it).

  Host* find(const std::string& name);
  Host* find(HostId id);
  /// A host known from before.
  Host& restore(HostRecord record, std::int64_t now_ms);
  /// The host of this record (its id is ignored), made and stored when new, updated when it changed.
  Result<Host*> enroll(HostRecord record, std::int64_t now_ms);
  /// Removes a host: its series, its cursors, its place in the fleet. Its blocks stay on disk until retention
  /// takes them; an agent that brings the name again begins a new host. Gives how many series it had.
  /// Errc::not_found; Errc::conflict while it is connected or not yet down.
  Result<std::size_t> forget(const std::string& name);
  /// Ids of a source's series; new ones are given ids and stored. Errc::limit when a host invents too many.
  Result<std::vector<SeriesId>> columns(Host& host, const SourceKey& source,
                                        const std::vector<SeriesSpec>& specs, std::int64_t now_ms);

  /// A series of a host without an agent, made when nobody knew it; `records` are what the history has to be
  /// told before its samples are journalled. Errc::limit when no more are taken.
  Result<SeriesId> push_series(Host& host, std::uint16_t source, SeriesSpec spec,
                               std::vector<SeriesRecord>& records);
  /// Samples of a host without an agent are in its head, the newest of `newest_ms`.
  void samples_pushed(Host& host, std::int64_t newest_ms, std::int64_t now_ms);

  /// A batch came, with rows of now; late ones are in the head and nothing else.
  void rows_arrived(Host& host, const Arrival& arrival, std::int64_t now_ms);
  void farewell(Host& host, std::int64_t now_ms);
  /// Once a second.
  void tick(std::int64_t now_ms);
  void seal(Host& host, std::int64_t now_ms);
  /// Stores late rows alone, once there are enough.
  void seal_late(Host& host);
  /// At stop.
  void seal_all(std::int64_t now_ms);

  const std::unordered_map<HostId, std::unique_ptr<Host>>& hosts() const { return hosts_; }

  /// Any thread: how often another machine took a host's name.
  std::uint64_t machine_changes() const { return machine_changes_.load(std::memory_order_relaxed); }

 private:
  void store_blocks(Host& host, std::vector<SealedPart> parts, std::vector<SealCursor> cursors);
  Host& add(HostRecord record, std::int64_t now_ms);
  void judge_host(Host& host, std::int64_t now_ms);
  static HostState judge_pushed(const HostFacts& facts, std::int64_t now_ms);
  /// How it is by its facts, which need not be its state yet.
  static HostState judged(const Host& host, std::int64_t now_ms);
  static void cover(Host& host, std::int64_t newest_ms, std::int64_t now_ms);
  void write_fleet_row(Host& host, std::int64_t now_ms);
  void look(Host& host, std::int64_t t_ms, std::int64_t now_ms);
  void run_hook(Host& host, std::int64_t t_ms, Occasion occasion);
  void relabel(Host& host);
  Result<void> check_known(const Host& host) const;
  void store_record(Host& host, std::int64_t now_ms);
  void note_other_machine(Host& host, std::int64_t now_ms);

  const ShardOptions options_;
  HostDirectory& directory_;
  History* const history_;
  HostTickHook hook_;
  std::function<void(const std::string& instance)> left_for_good_;
  std::function<void(HostId host, const std::string& instance)> forgotten_;
  std::unordered_map<HostId, std::unique_ptr<Host>> hosts_;
  std::unordered_map<std::string, Host*> by_name_;
  Leaving leaving_;
  std::atomic<std::uint64_t> machine_changes_ = 0;
  Worker worker_;  // last: its thread ends before what it touches goes
};

}  // namespace vigil::aggregator
