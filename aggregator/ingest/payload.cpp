#include "aggregator/ingest/payload.h"

#include <cstddef>
#include <cstdint>

namespace vigil::aggregator {
namespace {

/// Reads a varint; 0 bytes consumed when it does not end.
std::size_t read_varint(const std::string& wire, std::size_t at, std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < 10 && at + i < wire.size(); ++i) {
    const auto byte = static_cast<unsigned char>(wire[at + i]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) return i + 1;
  }
  return 0;
}

}  // namespace

std::string payload(const v1::AgentMessage& message, const std::string& wire) {
  // Normally the whole message is one length-delimited field (wire type 2): its payload is what we want.
  std::uint64_t tag = 0;
  std::uint64_t size = 0;
  const std::size_t tag_bytes = read_varint(wire, 0, tag);
  const std::size_t size_bytes = read_varint(wire, tag_bytes, size);
  const std::uint64_t expected = static_cast<std::uint64_t>(message.kind_case()) << 3 | 2;
  if (tag == expected && size_bytes > 0 && tag_bytes + size_bytes + size == wire.size()) {
    return wire.substr(tag_bytes + size_bytes);
  }
  if (message.has_batch()) return message.batch().SerializeAsString();
  if (message.has_schema()) return message.schema().SerializeAsString();
  return {};
}

}  // namespace vigil::aggregator
