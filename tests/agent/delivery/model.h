// A small host and a small aggregator for tests of the delivery: rows whose values follow from their time,
// encoded by the real builder and checked by the real decoder.
#pragma once

#include "agent/delivery/batch_builder.h"
#include "agent/delivery/session.h"
#include "common/wire/rows.h"

#include <map>
#include <vector>

namespace vigil::agent::test {

/// Makes frames of two sources with `width` columns each; what it makes at which time is a function, so a
/// receiver can check it.
class Host {
 public:
  explicit Host(std::size_t width = 3);
  void tick(FrameSink& sink);
  /// Another column in the first source: a new schema version from the next tick on.
  void add_column();
  std::int64_t time_ms() const { return time_ms_; }
  static std::int64_t value(std::uint32_t source_id, std::size_t column, std::int64_t time_ms);

 private:
  std::vector<wire::SourceSchema> schemas_;
  std::vector<std::int64_t> values_;
  std::int64_t time_ms_ = 1'700'000'000'000;
};

/// The receiving side of the protocol, strict: the state an aggregator keeps for one stream_id (`Stored`),
/// and one connection to it.
struct Stored {
  std::uint64_t durable_seq = 0;
  std::map<std::uint32_t, std::vector<std::int64_t>> times_ms;  // by source: each row once, in order
  std::vector<v1::Gap> gaps;
  bool left = false;

  std::size_t rows() const {
    const auto at = times_ms.find(1);
    return at == times_ms.end() ? 0 : at->second.size();
  }
};

/// Of all streams, by stream_id.
using Streams = std::map<std::string, Stored>;
/// Times of a source over all streams, ascending.
std::vector<std::int64_t> all_times(const Streams& streams, std::uint32_t source_id = 1);
std::vector<v1::Gap> all_gaps(const Streams& streams);

class Receiver {
 public:
  /// A new connection: what earlier ones decoded is forgotten, as by an aggregator that was restarted.
  explicit Receiver(Stored& stored) : stored_(stored) {}

  /// Takes one message; gives the answer to send, if any. Batches are durable at once. Errors: a rule of the
  /// protocol was broken.
  Result<std::vector<v1::AggregatorMessage>> take(const std::string& bytes);
  const v1::Hello& hello() const { return hello_; }

  std::uint64_t credit = std::uint64_t{1} << 40;  // for back-fill: more is an error

 private:
  struct SourceState {
    wire::SourceSchema schema;
    wire::RowDecoder decoder;
  };
  Result<void> take_schema(const v1::Schema& schema);
  Result<void> take_batch(const v1::Batch& batch);
  Result<void> take_rows(const v1::Rows& rows, bool store);

  Stored& stored_;
  v1::Hello hello_;
  std::map<std::uint32_t, SourceState> sources_;
  wire::DecodedRows decoded_;
  std::uint64_t expected_ = 0;  // 0: any keyframe
  std::uint64_t taken_ = 0;     // bytes after Hello
  bool greeted_ = false;
};

v1::AggregatorMessage welcome(std::uint64_t durable_seq);
v1::AggregatorMessage ack(std::uint64_t durable_seq);

}  // namespace vigil::agent::test
