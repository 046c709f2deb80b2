// What the history keeps beside blocks: hosts, series, cursors, journal entries, gaps. Plain values, shared
// by shards and store.
#pragma once

#include "aggregator/blocks/block.h"
#include "common/series.h"

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace vigil::aggregator {

/// The 16 random bytes an agent makes with its buffer (Hello.stream_id); sequence numbers belong to it.
using StreamId = std::array<std::uint8_t, 16>;

struct HostRecord {
  HostId id = 0;           // dense: 0, 1, 2, ... in the order hosts were first seen; never reused
  std::string name;        // the label instance
  std::string machine_id;  // Hello.machine_id, 16 bytes
  std::string boot_id;
  std::string agent_version;
  Labels labels;  // of the host, from the agent's configuration
  std::int64_t first_seen_ms = 0;
  std::int64_t last_seen_ms = 0;
  std::uint32_t interval_ms = 0;  // the agent's beat
  bool left = false;              // said Bye: not expected back
  bool removed = false;           // an administrator removed it: its history stays until retention takes it
  friend bool operator==(const HostRecord&, const HostRecord&) = default;
};

/// A set of series of one host sampled together. The same job may have several cadences.
struct SourceKey {
  std::string job;
  std::uint32_t interval_ms = 0;
  friend auto operator<=>(const SourceKey&, const SourceKey&) = default;  // NOLINT(modernize-use-nullptr)
};

struct SeriesRecord {
  SeriesId id = 0;   // dense within its host: 0, 1, 2, ...
  SourceKey source;  // where it was first seen
  SeriesSpec spec;
  friend bool operator==(const SeriesRecord&, const SeriesRecord&) = default;
};

/// How far one stream of one host has come.
struct Cursor {
  StreamId stream{};
  std::uint64_t durable_seq =
      0;  // all batches up to here are in the journal or in blocks: may be acknowledged
  std::uint64_t sealed_seq =
      0;  // all rows of batches up to here are in blocks: replay decodes them but does not append them
  friend bool operator==(const Cursor&, const Cursor&) = default;
};

/// samples: of a host without an agent, see ingest/local_rows.h; its own, no deltas, no schema.
enum class EntryKind : std::uint8_t { schema = 1, batch = 2, samples = 3 };

/// One message of an agent as it arrived, or what came by another way.
struct JournalEntry {
  HostId host = 0;
  StreamId stream{};
  std::uint64_t seq = 0;  // of the batch; of a schema: the seq of the next batch expected when it arrived
  EntryKind kind = EntryKind::batch;
  std::uint32_t source_id = 0;  // of a schema: Schema.source_id
  std::string bytes;            // the serialized vigil.v1.Schema or vigil.v1.Batch
  friend bool operator==(const JournalEntry&, const JournalEntry&) = default;
};

struct SealedPart {
  SourceKey source;
  std::shared_ptr<const SealedBlock> block;
};

/// What a seal settles in one stream.
struct SealCursor {
  StreamId stream{};
  std::uint64_t sealed_seq = 0;  // every row of batches up to here is in blocks, these included
  /// Replay starts at this batch: the keyframe at or before sealed_seq + 1. Older journal entries are
  /// dropped.
  std::uint64_t needed_seq = 0;
};

/// As SealCursor::needed_seq: nothing of this stream is needed any more (it has been replaced by another one
/// and is sealed).
inline constexpr std::uint64_t kNothingNeeded = std::numeric_limits<std::uint64_t>::max();

/// A time in which an aggregator ran on these data.
struct RunRecord {
  std::int64_t start_ms = 0;
  std::int64_t alive_ms = 0;  // it lived then; of a killed one its end came up to a minute later
  friend bool operator==(const RunRecord&, const RunRecord&) = default;
};

/// Time for which a host's data is known to be missing, and why.
struct GapRecord {
  HostId host = 0;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::string reason;  // Gap.reason of the protocol: "buffer_full", ...
  friend bool operator==(const GapRecord&, const GapRecord&) = default;
};

}  // namespace vigil::aggregator
