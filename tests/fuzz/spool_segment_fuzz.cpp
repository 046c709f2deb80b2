// Reads the bytes as a segment of the agent's spool: once as they are, and once as the record of a segment
// whose checksums fit.
#include "agent/spool/segment.h"
#include "common/crc32c.h"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using vigil::agent::decode_segment;
using vigil::agent::encode_header;
using vigil::agent::encode_record;

void append_record(std::string& segment, const std::string& record) {
  const auto fixed = [&segment](std::uint32_t value) {
    for (int i = 0; i < 4; ++i) segment += static_cast<char>(value >> (8 * i));
  };
  fixed(static_cast<std::uint32_t>(record.size()));
  fixed(vigil::crc32c(record));
  segment += record;
}

void read(const std::string& bytes) {
  const auto content = decode_segment(bytes);
  (void)damaged_range(bytes, content);
  if (!content) return;
  if (content->good_bytes > bytes.size()) std::abort();
  // What is read can be written and read again.
  std::string again = encode_header({content->stream.stream_id, content->stream.boot_id}, {});
  for (const auto& batch : content->batches) again += encode_record(batch);
  const auto second = decode_segment(again);
  if (!second || second->batches.size() != content->batches.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  std::string header = "VGS\x01";
  append_record(header, bytes);
  read(header);
  std::string segment = encode_header({"0123456789abcdef", "boot"}, {});
  append_record(segment, bytes);
  read(segment);
  return 0;
}
