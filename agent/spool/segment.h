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

/// Nothing when not even the header is whole. Reading ends at the first record that is cut off, fails its
/// checksum, or does not follow the one before: what was left of the file's earlier use looks like that, too.
std::optional<SegmentContent> decode_segment(std::string_view bytes);

}  // namespace vigil::agent
