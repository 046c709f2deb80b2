// Decodes one stream's schemas and batches: the sources it declared, and the state their deltas build on.
// Pure; used by a session for what arrives, and by the replay of the journal for what had arrived.
#pragma once

#include "common/error.h"
#include "common/wire/rows.h"
#include "common/wire/schema.h"
#include "vigil/v1/ingest.pb.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vigil::aggregator {

/// A schema of the stream. What its series are is asked once, when the host gets its columns; kept for each
/// stream it would be most of what a stream takes.
struct DeclaredSchema {
  std::uint32_t source_id = 0;
  std::uint32_t version = 0;
  std::string job;
  std::uint32_t interval_ms = 0;
  std::size_t width = 0;                          // columns: series, also when they were taken
  std::uint64_t fingerprint = 0;                  // of the series
  std::size_t text_bytes = 0;                     // of their names and labels
  std::optional<std::vector<SeriesSpec>> series;  // nothing: taken

  explicit DeclaredSchema(wire::SourceSchema schema);
};
using SchemaPtr = std::shared_ptr<DeclaredSchema>;

/// Rows of one source. Points into the decoder: good until its next decode().
struct SourceRows {
  SchemaPtr schema;
  const wire::DecodedRows* rows = nullptr;
};

class StreamDecoder {
 public:
  /// `max_series`: of the newest schemas of all sources together.
  explicit StreamDecoder(std::size_t max_series) : max_series_(max_series) {}

  /// Errors: Errc::parse, Errc::limit. The stream is broken after an error of either function.
  Result<SchemaPtr> add_schema(const v1::Schema& schema);
  /// The rows of a batch, in its order.
  Result<std::span<const SourceRows>> decode(const v1::Batch& batch);

  // For a replay, where the batches an agent resent on a new connection come a second time:

  /// The next batch is a keyframe and its times may lie before the last ones. Schemas are kept.
  void restart();
  /// Takes a schema like add_schema(), also one that is older than the newest: what is resent was encoded
  /// before that one. Limits were checked when it arrived.
  Result<void> declare_again(const v1::Schema& schema);

  /// Series of the newest schema of each source.
  std::size_t series() const;

 private:
  struct Source {
    std::map<std::uint32_t, SchemaPtr> versions;  // the one in use and newer ones
    std::uint32_t current = 0;                    // 0: no rows yet
    wire::RowDecoder rows;
    std::uint64_t decoded_in = 0;  // the latest batch that had rows of it, by batches_
  };
  Result<SourceRows> decode_rows(const v1::Rows& rows, wire::DecodedRows& out);
  Result<void> check_room(const DeclaredSchema& schema) const;

  const std::size_t max_series_;
  std::size_t text_bytes_ = 0;  // of all schemas kept
  std::map<std::uint32_t, Source> sources_;
  std::uint64_t batches_ = 0;  // decoded so far
  std::vector<std::unique_ptr<wire::DecodedRows>>
      buffers_;  // reused: no allocation per batch in the steady state
  std::vector<SourceRows> decoded_;
};

}  // namespace vigil::aggregator
