// zstd at level 1 with contexts that are made once per thread: making one costs more than compressing a group
// of columns.
#pragma once

#include <string>
#include <string_view>

namespace vigil::aggregator {

/// Appends `plain` as one zstd frame to `out`, or as it is when that is not longer. Returns the bytes
/// appended; equal to plain.size() exactly when it was stored as it is.
std::size_t append_compressed(std::string_view plain, std::string& out);

/// The size append_compressed() would append.
std::size_t compressed_size(std::string_view plain);

/// Undoes append_compressed(): `out` becomes `plain_size` bytes. False when `stored` is not a frame of
/// exactly that size.
bool decompress(std::string_view stored, std::size_t plain_size, std::string& out);

}  // namespace vigil::aggregator
