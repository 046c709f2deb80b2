// What arrives at one shard: its streams, each with its session, and the way of a batch through them:
//
//   bytes -> message -> session (rules, decode) -> journal -> head -> rules hook; later, when durable -> ack
//
// Lives on the shard's thread. The journal comes before the head: what is in memory is on its way to the
// disk, too. When the journal has no room, the stream waits with its batch, its next messages are not read,
// and nothing is dropped.
//
// A host has one live stream and at most one of back-fill, which sends on credit (backfill.h) and whose rows
// are late: stored and shown, but no sign of life (head/host_head.h).
#pragma once

#include "aggregator/head/shard.h"
#include "aggregator/ingest/agent_link.h"
#include "aggregator/ingest/backfill.h"
#include "aggregator/ingest/counters.h"
#include "aggregator/ingest/session.h"
#include "common/wire/names.h"

#include <google/protobuf/arena.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vigil::aggregator {

struct DurableBatch;

/// An agent says how an action ended. Called on the shard's thread.
using OnAnswer = std::function<void(const std::string& host, const v1::ActionResult& result)>;

struct IntakeOptions {
  std::uint32_t max_message_bytes = wire::kMaxMessageBytes;
  std::uint64_t bytes_per_second = 1U << 20;  // of one stream, sustained; the burst is 16 times as much
  OnAnswer on_answer{};                       // may be empty
};

/// What all shards' streams follow; other threads change it. Outlives the intakes.
struct Pace {
  const std::atomic<std::uint32_t>& delivery_interval_ms;  // agents are told
  Backfill& backfill;
};

class Intake {
 public:
  Intake(Shard& shard, IngestCounters& counters, const IntakeOptions& options, const Pace& pace);

  /// A stream said Hello. Every open() is followed by one closed() with the same link.
  void open(const Greeting& greeting, std::shared_ptr<AgentLink> link, std::int64_t now_ms);
  /// A message after Hello, as it came.
  void feed(const AgentLink* link, std::string wire, std::int64_t now_ms);
  void closed(const AgentLink* link, std::int64_t now_ms);
  /// Batches of this shard's hosts are on disk.
  void durable(std::span<const DurableBatch> batches, std::int64_t now_ms);
  /// Often: streams that had to wait go on.
  void resume(std::int64_t now_ms);

  /// Asks the agent of a host for an action, over its live stream. Errc::unavailable: it has none.
  Result<void> request(const std::string& host, const v1::ActionRequest& action);

  std::size_t streams() const { return streams_.size(); }

 private:
  struct Unacknowledged {
    std::uint64_t seq = 0;
    std::int64_t arrived_ms = 0;
    std::size_t bytes = 0;
  };
  /// A schema, or a batch that is decoded already.
  struct Unstored {
    JournalEntry entry;
    std::optional<NewBatch> batch;
    std::size_t bytes = 0;  // of its message
  };
  struct Stream {
    std::shared_ptr<AgentLink> link;
    Host* host = nullptr;
    StreamId id{};
    Session session;
    // Both are short, and an empty deque has half a kilobyte.
    std::vector<std::string> waiting;  // messages behind one that has to wait
    std::optional<Unstored> stalled;   // the journal had no room for it
    std::vector<Unacknowledged> unacknowledged;
    std::int64_t live_ms = 0;   // when it last sent anything
    std::int64_t acked_ms = 0;  // when it last heard of us
    std::uint32_t told_delivery_ms = 0;
    std::uint64_t once_durable_seq = 0;  // the last batch ever acknowledged, as the agent says
    bool said_bye = false;
    std::optional<CreditLine> credit;  // of back-fill
    std::size_t message_bytes = 0;     // of the one being processed

    bool late() const { return credit.has_value(); }
    Lane lane() const { return late() ? kLateLane : kLiveLane; }
  };
  using ByHost = std::map<HostId, Stream*>;

  std::optional<Refused> admit(const Greeting& greeting, const AgentLink& link, std::int64_t now_ms);
  std::optional<Refused> admit_late(const Greeting& greeting, const AgentLink& link, std::int64_t now_ms);
  Refused duplicate(Host& host, const Greeting& greeting, const AgentLink& link, std::int64_t now_ms);
  Result<Host*> host_of(const Greeting& greeting, std::int64_t now_ms);
  StreamProgress& progress_of(Host& host, const Greeting& greeting, std::int64_t now_ms);
  Stream& add(Host& host, const Greeting& greeting, std::shared_ptr<AgentLink> link, std::int64_t now_ms);
  void begin(Host& host, const Greeting& greeting, std::shared_ptr<AgentLink> link, std::int64_t now_ms);
  bool within_rate(Stream& stream, std::size_t bytes, std::int64_t now_ms);
  static Allowance& allowance_of(const Stream& stream) { return stream.host->bytes.at(stream.lane()); }
  void drain(Stream& stream, std::int64_t now_ms);
  void keep_waiting(Stream& stream, std::int64_t now_ms);

  // These give a refusal when the stream has to end.
  std::optional<Refused> process(Stream& stream, const std::string& wire, std::int64_t now_ms);
  std::optional<Refused> apply(Stream& stream, const SessionEvent& event, std::string payload,
                               std::int64_t now_ms);
  std::optional<Refused> store(Stream& stream, Unstored unstored, std::int64_t now_ms);
  std::optional<Refused> stored(Stream& stream, const NewBatch& batch, std::int64_t now_ms);

  // gaps.cpp
  void store_lost(Stream& stream, const Lost& lost, std::int64_t now_ms);
  void note_refused(Host& host, std::uint64_t rows, std::int64_t now_ms);
  static void tell_refused(Host& host, std::int64_t now_ms);
  void store_refused(Host& host, std::int64_t now_ms);
  void store_gap(const Host& host, std::optional<GapRecord> gap);

  void acknowledge(Stream& stream, std::uint64_t durable_seq, std::int64_t now_ms);
  void grant_credit(std::int64_t now_ms);
  Stream* open_stream(HostId host, const StreamId& id);
  void end(Stream& stream, const Refused& refused, std::int64_t now_ms);
  void forget(Stream& stream, std::int64_t now_ms);
  ByHost& streams_of(const Stream& stream) { return stream.late() ? late_by_host_ : by_host_; }
  Stream* find(const AgentLink* link);

  Shard& shard_;
  IngestCounters& counters_;
  const IntakeOptions options_;
  const Pace pace_;
  std::map<const AgentLink*, std::unique_ptr<Stream>> streams_;
  ByHost by_host_;       // the live stream of a host
  ByHost late_by_host_;  // its back-fill
  std::int64_t nudged_ms_ = 0;
  std::size_t blocked_ = 0;  // streams with something waiting, as an upper bound
  std::vector<char> arena_block_;
  google::protobuf::Arena
      arena_;  // of the message being processed: parsing allocates nothing in the steady state
};

}  // namespace vigil::aggregator
