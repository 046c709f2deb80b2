#include "aggregator/ingest/local_rows.h"

#include "aggregator/blocks/varint.h"

#include <bit>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kLeastCellBytes = 2;

std::int64_t minus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

// The bits of a double need eight bytes, counters and small decimals one to three: whichever is shorter.
constexpr std::uint64_t kWide = 1;
bool is_wide(std::int64_t raw) {
  constexpr unsigned kVarintBits = 49;
  return (zigzag(raw) >> kVarintBits) != 0;
}

void append_cell(const HostHead::Cell& cell, std::int64_t& id, std::string& out) {
  const bool wide = is_wide(cell.raw);
  append_varint(out, zigzag(cell.series - id) << 1 | (wide ? kWide : 0));
  id = cell.series;
  if (!wide) return append_varint(out, zigzag(cell.raw));
  const auto bits = static_cast<std::uint64_t>(cell.raw);
  for (unsigned shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(bits >> shift));
}

HostHead::Cell read_cell(ByteReader& in, std::int64_t& id) {
  const std::uint64_t head = in.varint();
  id = plus(id, unzigzag(head >> 1));
  if ((head & kWide) == 0) return {static_cast<SeriesId>(id), in.signed_varint()};
  std::uint64_t bits = 0;
  const std::string_view bytes = in.take(sizeof bits);
  for (std::size_t i = bytes.size(); i-- > 0;) bits = bits << 8 | static_cast<std::uint8_t>(bytes[i]);
  return {static_cast<SeriesId>(id), static_cast<std::int64_t>(bits)};
}

}  // namespace

std::string encode_rows(std::span<const LocalRow> rows) {
  std::string out;
  std::int64_t time_ms = 0;
  for (const LocalRow& row : rows) {
    append_varint(out, row.source);
    append_varint(out, zigzag(minus(row.time_ms, time_ms)));
    append_varint(out, row.cells.size());
    time_ms = row.time_ms;
    std::int64_t id = 0;
    for (const HostHead::Cell& cell : row.cells) append_cell(cell, id, out);
  }
  return out;
}

Result<std::vector<DecodedLocalRow>> decode_rows(std::string_view bytes) {
  std::vector<DecodedLocalRow> rows;
  ByteReader in(bytes);
  std::int64_t time_ms = 0;
  while (!in.at_end()) {
    DecodedLocalRow row;
    const std::uint64_t source = in.varint();
    time_ms = row.time_ms = plus(time_ms, in.signed_varint());
    const std::uint64_t cells = in.varint();
    if (source == 0 || source > 0xFFFF || cells > in.left() / kLeastCellBytes || in.failed())
      return fail(Errc::corrupt, "journalled samples: a row does not fit");
    row.source = static_cast<std::uint16_t>(source);
    std::int64_t id = 0;
    for (std::uint64_t i = 0; i < cells; ++i) {
      row.cells.push_back(read_cell(in, id));
      const bool known = id >= 0 && id < std::int64_t{RegisteredSeries::kNoSeries};
      if (!known || in.failed() || row.cells.back().raw == kAbsent)
        return fail(Errc::corrupt, "journalled samples: a cell does not fit");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace vigil::aggregator
