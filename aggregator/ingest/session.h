// The rules of one stream, as proto/vigil/v1/ingest.proto states them: a pure state machine. Messages go in,
// one event each comes out; it knows neither gRPC nor time nor disk. After a Refused event the session is
// over and must not be fed again.
#pragma once

#include "aggregator/ingest/stream_decoder.h"
#include "aggregator/store/records.h"
#include "common/error.h"
#include "vigil/v1/ingest.pb.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace vigil::aggregator {

/// Why a stream is ended, as the agent and our metrics are told.
struct Refused {
  v1::Refusal::Code code = v1::Refusal::CODE_PROTOCOL;
  std::string message;
  std::uint32_t retry_after_ms = 0;
};

/// "protocol", "limit", "resend", ...: the label `reason` of vigil_aggregator_refused_total.
std::string_view to_string(v1::Refusal::Code code);

/// A Hello that keeps the rules.
struct Greeting {
  std::string name;
  std::string machine_id;
  StreamId stream{};
  std::string boot_id;
  std::uint64_t first_kept_seq = 0;
  std::uint64_t next_seq = 0;
  std::uint64_t durable_seq = 0;    // the last one ever acknowledged to it
  bool ended = false;               // back-fill: no new batches
  std::optional<StreamId> follows;  // the agent's live stream before this one
  std::int64_t wall_time_ms = 0;
  std::string agent_version;
  std::uint32_t interval_ms = 0;
  Labels labels;
};
std::variant<Greeting, Refused> read_hello(const v1::AgentMessage& message);

/// A source's columns were declared. To be kept: batches refer to it.
struct NewSchema {
  SchemaPtr schema;
  std::uint64_t next_seq = 0;  // of the batch expected next
};

enum class Storing : std::uint8_t {
  append,
  drop,  // had been stored before: it was decoded because later deltas build on it
};

/// Batches the agent no longer has; `first_ms` and `last_ms` are 0 when it does not know when.
struct Lost {
  std::uint64_t first_seq = 0;  // both 0: of an earlier stream
  std::uint64_t last_seq = 0;
  std::uint64_t batches = 0;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::string reason;
};

struct NewBatch {
  std::uint64_t seq = 0;
  bool keyframe = false;
  Storing storing = Storing::append;
  std::span<const SourceRows> sources;  // good until the next message
  std::optional<Lost> lost;             // before it, by Hello alone: no Gap told of it
};

struct Farewell {
  std::string reason;
};

/// How an action ended that the agent was asked for. Not checked: its texts are cut, but anybody's.
struct Answer {
  v1::ActionResult result;
};

struct Nothing {};

using SessionEvent = std::variant<NewSchema, NewBatch, Lost, Farewell, Answer, Refused, Nothing>;

class Session {
 public:
  /// `stored_seq`: batches of this stream up to here are stored (perhaps not yet durable).
  Session(const Greeting& greeting, std::uint64_t stored_seq, std::size_t max_series);

  /// What Hello itself says about the numbers: Refused or Nothing. Once, before feed().
  SessionEvent begin();
  SessionEvent feed(const v1::AgentMessage& message);

  std::size_t series() const { return decoder_.series(); }

 private:
  SessionEvent on_schema(const v1::Schema& schema);
  SessionEvent on_batch(const v1::Batch& batch);
  SessionEvent on_gap(const v1::Gap& gap);

  StreamDecoder decoder_;
  const std::uint64_t first_kept_seq_;
  const std::uint64_t next_seq_;
  const bool ended_;
  std::uint64_t stored_seq_;
  std::uint64_t expected_seq_;  // nothing beyond it is taken
  std::optional<Lost>
      undeclared_;        // what Hello says is not kept; a Gap usually follows and says when and why
  int gaps_ = 0;          // declared in this stream
  bool started_ = false;  // a batch was decoded: the next one must be expected_seq_ exactly
};

}  // namespace vigil::aggregator
