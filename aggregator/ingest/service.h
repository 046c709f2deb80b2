// The gRPC service vigil.v1.Ingest. A reactor per stream converts and posts; it never blocks and knows no
// rule but "Hello first".
//
// Bytes are read raw and parsed on the shard's thread, which reuses one arena for all messages: the journal
// wants the bytes as they came, and decoding there needs no lock. (Measured figures: docs/benchmarks.md.)
#pragma once

#include "aggregator/head/shard_set.h"
#include "aggregator/identity/speaker.h"
#include "aggregator/ingest/counters.h"
#include "aggregator/ingest/grpc_link.h"
#include "aggregator/ingest/intake.h"
#include "aggregator/ingest/pacing.h"
#include "vigil/v1/ingest.grpc.pb.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace vigil::aggregator {

struct ServiceOptions {
  IntakeOptions intake;
  std::size_t max_streams = 12'000;
  std::int64_t hello_timeout_ms = 10'000;
  std::int64_t refusal_timeout_ms = 10'000;  // until a client has read why its stream ends
  std::function<std::int64_t()> now_ms;      // our clock, Unix milliseconds
  /// Whether an agent whose connection shows `certificate` (PEM; "": none) may be `host`. On gRPC's threads.
  /// Empty: any may.
  std::function<Result<identity::Speaker>(const std::string& certificate, const std::string& host)>
      may_speak{};
};

/// Whether what is received becomes durable just now.
enum class Durability : std::uint8_t { keeps_up, stands_still };

class IngestService final : public v1::Ingest::WithRawCallbackMethod_Stream<v1::Ingest::Service> {
 public:
  /// Shards and counters outlive the service.
  IngestService(ShardSet& shards, IngestCounters& counters, ServiceOptions options);
  ~IngestService() override;

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Stream(
      grpc::CallbackServerContext* context) override;

  /// For HistoryCallbacks::on_durable.
  void durable(std::span<const DurableBatch> batches);
  /// Asks the agent of a host for an action; `refused` is called with the reason when it is not connected.
  /// Any thread; what it answers goes to IntakeOptions::on_answer.
  void request(const std::string& host, v1::ActionRequest action,
               std::function<void(const std::string& why)> refused);
  /// Once a second, on one thread: how often agents shall deliver, and what back-fill may send; nothing while
  /// the disk does not keep up.
  void pace(LoadFigures figures, Durability durability);
  std::uint32_t delivery_interval_ms() const { return delivery_interval_ms_; }
  double load() const { return load_; }
  /// These certificates count no longer: streams that were opened with them end, and none is opened. Any
  /// thread.
  void revoked(const std::vector<std::string>& serials);
  /// Once a second, on any thread: ends streams that did not say Hello in time, or whose certificate
  /// expired, and cancels those that do not read why they end.
  void sweep();
  /// Refuses new streams and ends the present ones; their reactors finish by themselves.
  void stop();

  /// Of agents; back-fill comes beside them, over their connections.
  std::size_t streams() const {
    const std::size_t all = count_.load();
    return all - std::min<std::size_t>(all, backfill_.streams());
  }
  Backfill& backfill() { return backfill_; }
  const Backfill& backfill() const { return backfill_; }
  Intake& intake(std::size_t shard) { return *intakes_[shard]; }

 private:
  class Call;
  void add(const std::shared_ptr<GrpcLink>& link);
  bool has_room() const { return streams() <= options_.max_streams; }
  /// Ends the stream that has been silent for the longest time, unless that is `newcomer`. Whoever opens
  /// streams and says nothing keeps no agent out.
  bool make_room(const GrpcLink& newcomer);
  void remove(const std::shared_ptr<GrpcLink>& link);
  void end_late(std::int64_t now_ms);
  void not_silent(const std::shared_ptr<GrpcLink>& link);  // with the lock
  template <class Ended>
  void end_speakers(Ended ended, const char* why);
  Result<void> greeted(const std::shared_ptr<GrpcLink>& link, const identity::Speaker& speaker);

  ShardSet& shards_;
  IngestCounters& counters_;
  const ServiceOptions options_;
  std::atomic<std::uint32_t> delivery_interval_ms_ = 1000;
  Backfill backfill_;
  Pacing pacing_;
  std::atomic<double> load_ = 0;
  std::vector<std::unique_ptr<Intake>> intakes_;  // one per shard, each touched by its shard's thread only
  std::atomic<std::size_t> count_ = 0;
  std::atomic<bool> stopping_ = false;

  std::mutex mutex_;                             // protects what follows
  std::list<std::shared_ptr<GrpcLink>> silent_;  // no Hello yet; oldest first
  /// With its place in silent_, whose end() is that of one that is in it no more.
  std::unordered_map<std::shared_ptr<GrpcLink>, std::list<std::shared_ptr<GrpcLink>>::iterator> links_;
  std::unordered_map<std::shared_ptr<GrpcLink>, identity::Speaker> speakers_;  // that showed a certificate
  std::unordered_set<std::string> revoked_;                                    // serials, since the start
};

}  // namespace vigil::aggregator
