// Records as bytes inside BLOBs: labels, and the groups of the journal. docs/storage.md describes them byte
// by byte.
#pragma once

#include "aggregator/store/records.h"
#include "common/error.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace vigil::aggregator {

std::string encode_labels(const Labels& labels);
Result<Labels> decode_labels(std::string_view bytes);

/// Appends one entry to a group that is being collected. A schema's bytes stand in a table of their own, for
/// it outlives the journal: here stands its row there, `schema_row`, so that a replay meets it in its place.
void append_batch(const JournalEntry& entry, std::string& plain);  // or samples
void append_schema_mark(const JournalEntry& entry, std::int64_t schema_row, std::string& plain);
/// What is stored: magic, checksum, size, the collected entries under zstd level 1.
std::string seal_group(std::string_view plain);

/// An entry whose bytes live in the group it was read from.
struct EntryView {
  HostId host = 0;
  StreamId stream{};
  std::uint64_t seq = 0;
  EntryKind kind = EntryKind::batch;
  std::int64_t schema_row = 0;  // of a schema
  std::string_view bytes;       // of what is no schema
};
/// Visits the entries of a stored group in order. Errc::corrupt: nothing of it can be trusted, and nothing
/// was visited.
Result<void> read_group(std::string_view stored, const std::function<void(const EntryView&)>& visit);

StreamId to_stream(std::string_view bytes);
inline std::string_view bytes_of(const StreamId& stream) {
  return {reinterpret_cast<const char*>(stream.data()), stream.size()};
}

}  // namespace vigil::aggregator
