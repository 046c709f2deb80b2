// The bytes of a segment of the spool: batches of one stream in order, from a keyframe on, with the schemas
// they need. Layout: docs/storage.md.
#pragma once

#include "agent/delivery/batch.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

/// Whose batches a segment holds.
struct SpoolStream {
  std::string stream_id;  // 16 bytes
  std::string boot_id;    // of the boot in which they were sampled; at most 255 bytes
};

/// Opens a segment: magic, stream, and the schemas in force before its first batch.
std::string encode_header(const SpoolStream& stream, const std::vector<const EncodedSchema*>& schemas);
/// A batch with the schemas new with it.
std::string encode_record(const EncodedBatch& batch);

/// What a segment says, as far as its bytes are whole.
struct SegmentContent {
  SpoolStream stream;
  std::vector<EncodedSchema> schemas;  // in force before the first batch
  std::vector<EncodedBatch> batches;   // consecutive, the first one a keyframe
  std::size_t good_bytes = 0;          // up to the end of the last whole record
};

/// A segment of a later version of this layout: whatever it holds is not for us to read.
bool is_newer_segment(std::string_view bytes);

/// A run of batches, both ends inclusive; times are Unix milliseconds.
struct BatchRange {
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::int64_t first_time_ms = 0;
  std::int64_t last_time_ms = 0;
};

/// Nothing when not even the header is whole. Reading ends at the first record that is cut off, fails its
/// checksum, or does not follow the one before: what was left of the file's earlier use looks like that, too.
std::optional<SegmentContent> decode_segment(std::string_view bytes);

/// What a damaged record hides: from the last whole batch before it, `content`'s last one (none: the first
/// one that is whole after it), to the last whole one behind it, which cannot be used without it. Nothing
/// when no batch behind the damage is whole: a power cut tears the end off, which holds what was never
/// promised.
std::optional<BatchRange> damaged_range(std::string_view bytes, const std::optional<SegmentContent>& content);

}  // namespace vigil::agent
