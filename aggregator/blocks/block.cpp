#include "aggregator/blocks/block.h"

#include "aggregator/blocks/column.h"
#include "aggregator/blocks/compress.h"
#include "aggregator/blocks/group_cache.h"
#include "aggregator/blocks/varint.h"
#include "common/crc32c.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>

namespace vigil::aggregator {
namespace {

// The magic's last byte is the version of the format.
constexpr std::string_view kMagic{"VGB\x01", 4};
constexpr std::size_t kChecksumOffset = kMagic.size();
constexpr std::size_t kBodyOffset = kChecksumOffset + sizeof(std::uint32_t);
// One series then decodes at most 15 others; larger groups compress a little better.
constexpr std::size_t kGroupColumns = 16;
// What a column can take before compression: its head, and per row an absent run (two varints of up to three
// bytes) and a varint.
constexpr std::size_t kColumnHeadBytes = 64;
constexpr std::size_t kCellBytes = 16;

std::uint32_t load_u32(const char* at) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = (value << 8) | static_cast<std::uint8_t>(at[i]);
  return value;
}

void store_u32(char* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(value >> (8 * i));
}

// Ids are mostly dense: runs of (distance from the end of the run before, length).
void append_series(std::span<const SeriesId> series, std::string& out) {
  std::int64_t expected = 0;
  for (std::size_t i = 0; i < series.size();) {
    std::size_t end = i + 1;
    while (end < series.size() && series[end] == series[end - 1] + 1) ++end;
    append_varint(out, zigzag(static_cast<std::int64_t>(series[i]) - expected));
    append_varint(out, end - i);
    expected = static_cast<std::int64_t>(series[end - 1]) + 1;
    i = end;
  }
}

/// Each time after the one before. Looked at by differences first, several at a time: none of 2^42 ms (139
/// years) or more means that none is 0 or less and that nothing wrapped around.
bool is_ascending(std::span<const std::int64_t> times_ms) {
  std::uint64_t bits = 0;
  for (std::size_t i = 1; i < times_ms.size(); ++i) {
    bits |= static_cast<std::uint64_t>(times_ms[i]) - static_cast<std::uint64_t>(times_ms[i - 1]) - 1;
  }
  return bits >> 42 == 0 || std::ranges::adjacent_find(times_ms, std::greater_equal<>()) == times_ms.end();
}

struct SealedGroups {
  std::string directory;  // stored size and plain size of each
  std::string payload;
  std::uint64_t samples = 0;
};

SealedGroups seal_groups(const Block& block) {
  thread_local std::string plain;
  SealedGroups groups;
  const std::size_t rows = block.times_ms.size();
  const std::span<const std::int64_t> values = block.values;
  for (std::size_t first = 0; first < block.series.size(); first += kGroupColumns) {
    plain.clear();
    const std::size_t end = std::min(first + kGroupColumns, block.series.size());
    for (std::size_t column = first; column < end; ++column) {
      groups.samples += encode_column(values.subspan(column * rows, rows), plain);
    }
    append_varint(groups.directory, append_compressed(plain, groups.payload));
    append_varint(groups.directory, plain.size());
  }
  return groups;
}

Error corrupt(std::string_view what) {
  return fail(Errc::corrupt, "block: {}", what);
}

}  // namespace

std::string seal(const Block& block) {
  assert(!block.times_ms.empty() && !block.series.empty());
  assert(block.values.size() == block.series.size() * block.times_ms.size() &&
         block.values.size() <= kMaxCells);
  const SealedGroups groups = seal_groups(block);
  std::string times;
  encode_column(block.times_ms, times);
  std::string out(kMagic);
  out.append(sizeof(std::uint32_t), '\0');
  append_varint(out, block.times_ms.size());
  append_varint(out, block.series.size());
  append_varint(out, groups.samples);
  append_varint(out, zigzag(block.times_ms.front()));
  append_varint(out, static_cast<std::uint64_t>(block.times_ms.back()) -
                         static_cast<std::uint64_t>(block.times_ms.front()));
  append_varint(out, times.size());
  out += times;
  append_series(block.series, out);
  append_varint(out, kGroupColumns);
  out += groups.directory;
  out += groups.payload;
  store_u32(out.data() + kChecksumOffset, crc32c(std::string_view(out).substr(kBodyOffset)));
  return out;
}

Result<void> SealedBlock::check_frame(const std::string& bytes) {
  if (bytes.size() < kBodyOffset) return corrupt("shorter than its header");
  if (bytes.compare(0, kMagic.size() - 1, kMagic, 0, kMagic.size() - 1) != 0)
    return corrupt("no magic number");
  if (bytes[kMagic.size() - 1] != kMagic.back()) return corrupt("a version this program does not know");
  const std::uint32_t stored = load_u32(bytes.data() + kChecksumOffset);
  if (stored != crc32c(std::string_view(bytes).substr(kBodyOffset)))
    return corrupt("checksum does not match");
  return {};
}

Result<std::shared_ptr<const SealedBlock>> SealedBlock::open(std::string bytes) {
  if (auto checked = check_frame(bytes); !checked) return checked.error();
  const std::shared_ptr<SealedBlock> block(new SealedBlock());
  block->bytes_ = std::move(bytes);
  if (!block->read_directory()) return corrupt("directory contradicts itself");
  return std::shared_ptr<const SealedBlock>(block);
}

bool SealedBlock::read_directory() {
  ByteReader in(std::string_view(bytes_).substr(kBodyOffset));
  const std::uint64_t rows = in.varint();
  const std::uint64_t columns = in.varint();
  samples_ = in.varint();
  if (in.failed() || rows == 0 || columns == 0 || rows > kMaxCells || columns > kMaxCells / rows)
    return false;
  if (samples_ > rows * columns) return false;
  rows_ = rows;
  first_ms_ = in.signed_varint();
  last_ms_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(first_ms_) + in.varint());
  if ((rows == 1) != (first_ms_ == last_ms_) || last_ms_ < first_ms_) return false;
  times_size_ = in.varint();
  times_offset_ = kBodyOffset + in.position();
  in.take(times_size_);
  if (in.failed() || !read_series(in, columns)) return false;
  const std::uint64_t group_columns = in.varint();
  return !in.failed() && group_columns > 0 && group_columns <= columns + kGroupColumns &&
         read_groups(in, group_columns);
}

bool SealedBlock::read_series(ByteReader& in, std::uint64_t columns) {
  std::int64_t expected = 0;
  while (series_.size() < columns) {
    const std::int64_t distance = in.signed_varint();
    const std::uint64_t length = in.varint();
    constexpr std::int64_t kIds = std::int64_t{1} << 32;
    if (in.failed() || length == 0 || length > columns - series_.size()) return false;
    if (distance < -kIds || distance > kIds) return false;
    const std::int64_t first = expected + distance;
    if (first < 0 || first + static_cast<std::int64_t>(length) > kIds) return false;
    for (std::uint64_t i = 0; i < length; ++i)
      series_.push_back(static_cast<SeriesId>(first) + static_cast<SeriesId>(i));
    expected = first + static_cast<std::int64_t>(length);
  }
  return true;
}

bool SealedBlock::read_groups(ByteReader& in, std::uint64_t group_columns) {
  std::size_t offset = 0;
  for (std::size_t first = 0; first < series_.size(); first += group_columns) {
    Group group;
    group.first_column = static_cast<std::uint32_t>(first);
    group.columns = static_cast<std::uint32_t>(std::min<std::size_t>(group_columns, series_.size() - first));
    group.offset = offset;
    group.size = in.varint();
    group.plain_size = in.varint();
    if (in.failed() || group.size > bytes_.size() || group.size > group.plain_size) return false;
    if (group.plain_size > group.columns * (rows_ * kCellBytes + kColumnHeadBytes)) return false;
    offset += group.size;
    groups_.push_back(group);
  }
  const std::size_t payload = kBodyOffset + in.position();
  for (Group& group : groups_) group.offset += payload;
  return payload + offset == bytes_.size();
}

Result<std::vector<std::int64_t>> SealedBlock::times() const {
  std::vector<std::int64_t> all;
  if (auto read = times(all); !read) return read.error();
  return all;
}

Result<void> SealedBlock::times(std::vector<std::int64_t>& times) const {
  times.resize(rows_);
  ByteReader in(std::string_view(bytes_).substr(times_offset_, times_size_));
  if (!decode_column(in, times) || !in.at_end()) return corrupt("time column does not decode");
  if (!is_ascending(times) || times.front() != first_ms_ || times.back() != last_ms_)
    return corrupt("times are not ascending");
  return {};
}

Result<std::vector<std::int64_t>> SealedBlock::column(std::size_t index) const {
  assert(index < series_.size());
  thread_local std::string plain;
  const Group& group = groups_[index / groups_.front().columns];
  if (!decompress(std::string_view(bytes_).substr(group.offset, group.size), group.plain_size, plain)) {
    return corrupt("column group does not decompress");
  }
  ByteReader in(plain);
  for (std::size_t before = group.first_column; before < index; ++before) {
    if (!skip_column(in, rows_)) return corrupt("column does not decode");
  }
  std::vector<std::int64_t> values(rows_);
  if (!decode_column(in, values)) return corrupt("column does not decode");
  return values;
}

Result<void> ColumnReader::open_group(std::size_t group) {
  thread_local std::string scratch;
  const SealedBlock::Group& at = block_.groups_[group];
  if (cache_ != nullptr) kept_ = cache_->find(block_.serial(), group);
  if (cache_ == nullptr || !kept_) {
    if (!decompress(std::string_view(block_.bytes_).substr(at.offset, at.size), at.plain_size, scratch))
      return corrupt("column group does not decompress");
    plain_ = scratch;
    if (cache_ != nullptr) {
      kept_ = std::make_shared<const std::string>(scratch);
      cache_->put(block_.serial(), group, kept_);
    }
  }
  if (kept_) plain_ = *kept_;
  group_ = group;
  next_ = at.first_column;
  position_ = 0;
  return {};
}

Result<std::span<const std::int64_t>> ColumnReader::read(std::size_t index) {
  thread_local std::vector<std::int64_t> values;
  assert(index < block_.series_.size() && (group_ == static_cast<std::size_t>(-1) || index >= next_));
  const std::size_t group = index / block_.groups_.front().columns;
  if (group != group_) {
    if (auto opened = open_group(group); !opened) return opened.error();
  }
  ByteReader in(plain_.substr(position_));
  for (; next_ < index; ++next_) {
    if (!skip_column(in, block_.rows_)) return corrupt("column does not decode");
  }
  values.resize(block_.rows_);
  if (!decode_column(in, values)) return corrupt("column does not decode");
  ++next_;
  position_ += in.position();
  return std::span<const std::int64_t>(values);
}

std::uint64_t SealedBlock::next_serial() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

bool SealedBlock::read_group(const Group& group, std::span<std::int64_t> values) const {
  thread_local std::string plain;
  if (!decompress(std::string_view(bytes_).substr(group.offset, group.size), group.plain_size, plain))
    return false;
  ByteReader in(plain);
  for (std::size_t column = 0; column < group.columns; ++column) {
    if (!decode_column(in, values.subspan(column * rows_, rows_))) return false;
  }
  return in.at_end();
}

Result<Block> SealedBlock::decode() const {
  Block block;
  block.series = series_;
  auto times_ms = times();
  if (!times_ms) return times_ms.error();
  block.times_ms = std::move(*times_ms);
  block.values.resize(rows_ * series_.size());
  const std::span<std::int64_t> values = block.values;
  for (const Group& group : groups_) {
    if (!read_group(group, values.subspan(group.first_column * rows_, group.columns * rows_))) {
      return corrupt("column group does not decode");
    }
  }
  return block;
}

}  // namespace vigil::aggregator
