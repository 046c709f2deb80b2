// One column of a block as bytes: the transform that makes its integers small, chosen by size. Not compressed
// yet: zstd follows, over a group of columns. The format is described in docs/storage.md.
#pragma once

#include "aggregator/blocks/varint.h"

#include <cstdint>
#include <span>
#include <string>

namespace vigil::aggregator {

/// Appends `values` (kAbsent: no sample) to `out`; returns how many hold a sample. Any int64 round-trips.
std::size_t encode_column(std::span<const std::int64_t> values, std::string& out);

/// Fills `values`, whose size is the number of rows. False when the bytes are not a column of that many rows.
bool decode_column(ByteReader& in, std::span<std::int64_t> values);

/// Steps over a column of `rows` rows without decoding it.
bool skip_column(ByteReader& in, std::size_t rows);

}  // namespace vigil::aggregator
