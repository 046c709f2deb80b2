// Samples of a host without an agent as one entry of the journal (EntryKind::samples): rows of cells that
// name their series by id, so that each entry can be read by itself. Pure. docs/storage.md describes the
// bytes.
#pragma once

#include "aggregator/head/host_head.h"
#include "common/error.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator {

/// Cells of one time and source, ascending by series.
struct LocalRow {
  std::uint16_t source = 0;
  std::int64_t time_ms = 0;
  std::span<const HostHead::Cell> cells;
};

std::string encode_rows(std::span<const LocalRow> rows);

/// The same as values.
struct DecodedLocalRow {
  std::uint16_t source = 0;
  std::int64_t time_ms = 0;
  std::vector<HostHead::Cell> cells;
};
/// Total: Errc::corrupt unless the bytes are what encode_rows() makes of some rows.
Result<std::vector<DecodedLocalRow>> decode_rows(std::string_view bytes);

}  // namespace vigil::aggregator
