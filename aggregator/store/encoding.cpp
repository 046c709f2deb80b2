#include "aggregator/store/encoding.h"

#include "aggregator/blocks/compress.h"
#include "aggregator/blocks/varint.h"
#include "common/crc32c.h"

#include <algorithm>
#include <vector>

namespace vigil::aggregator {
namespace {

constexpr std::string_view kGroupMagic{"VGJ\x01", 4};
constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kGroupHeaderBytes = kGroupMagic.size() + kChecksumBytes;
constexpr std::uint64_t kMaxGroupBytes = std::uint64_t{256} << 20;  // far above what one commit writes

void append_text(std::string& out, std::string_view text) {
  append_varint(out, text.size());
  out += text;
}

void append_head(const JournalEntry& entry, EntryKind kind, std::string& plain) {
  append_varint(plain, entry.host);
  plain += bytes_of(entry.stream);
  append_varint(plain, entry.seq);
  plain.push_back(static_cast<char>(kind));
}

std::string checksum_bytes(std::string_view bytes) {
  const std::uint32_t checksum = crc32c(bytes);
  std::string out;
  for (unsigned shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(checksum >> shift));
  return out;
}

// Checks everything before anybody sees an entry.
Result<std::vector<EntryView>> parse_entries(std::string_view plain) {
  std::vector<EntryView> entries;
  ByteReader in(plain);
  while (!in.at_end()) {
    EntryView entry;
    entry.host = static_cast<HostId>(in.varint());
    entry.stream = to_stream(in.take(entry.stream.size()));
    entry.seq = in.varint();
    const std::uint8_t kind = in.byte();
    entry.kind = static_cast<EntryKind>(kind);
    if (entry.kind == EntryKind::schema) {
      entry.schema_row = static_cast<std::int64_t>(in.varint());
    } else {
      entry.bytes = in.take(in.varint());
    }
    const bool known = kind >= static_cast<std::uint8_t>(EntryKind::schema) &&
                       kind <= static_cast<std::uint8_t>(EntryKind::samples);
    if (in.failed() || !known) return fail(Errc::corrupt, "journal group: an entry does not fit");
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace

StreamId to_stream(std::string_view bytes) {
  StreamId stream{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), stream.size()), stream.begin());
  return stream;
}

std::string encode_labels(const Labels& labels) {
  std::string out;
  for (const LabelView& label : labels) {
    append_text(out, label.name);
    append_text(out, label.value);
  }
  return out;
}

Result<Labels> decode_labels(std::string_view bytes) {
  std::vector<Label> labels;
  ByteReader in(bytes);
  while (!in.at_end()) {
    Label label;
    label.name = in.take(in.varint());
    label.value = in.take(in.varint());
    labels.push_back(std::move(label));
  }
  if (in.failed()) return fail(Errc::corrupt, "stored labels are cut short");
  return Labels(std::move(labels));
}

void append_batch(const JournalEntry& entry, std::string& plain) {
  append_head(entry, entry.kind, plain);
  append_text(plain, entry.bytes);
}

void append_schema_mark(const JournalEntry& entry, std::int64_t schema_row, std::string& plain) {
  append_head(entry, EntryKind::schema, plain);
  append_varint(plain, static_cast<std::uint64_t>(schema_row));
}

std::string seal_group(std::string_view plain) {
  std::string body;
  append_varint(body, plain.size());
  append_compressed(plain, body);
  return std::string(kGroupMagic) + checksum_bytes(body) + body;
}

Result<void> read_group(std::string_view stored, const std::function<void(const EntryView&)>& visit) {
  if (stored.size() < kGroupHeaderBytes || !stored.starts_with(kGroupMagic)) {
    return fail(Errc::corrupt, "journal group: no magic number");
  }
  const std::string_view body = stored.substr(kGroupHeaderBytes);
  if (stored.substr(kGroupMagic.size(), kChecksumBytes) != checksum_bytes(body)) {
    return fail(Errc::corrupt, "journal group: checksum does not match");
  }
  ByteReader in(body);
  const std::uint64_t plain_size = in.varint();
  std::string plain;
  if (in.failed() || plain_size > kMaxGroupBytes || !decompress(in.take(in.left()), plain_size, plain)) {
    return fail(Errc::corrupt, "journal group: does not decompress");
  }
  auto entries = parse_entries(plain);
  if (!entries) return entries.error();
  for (const EntryView& entry : *entries) visit(entry);
  return {};
}

}  // namespace vigil::aggregator
