// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected; RFC 3720 section 12.1): the checksum of everything
// vigil stores. Uses the SSE4.2 instruction where the CPU has it (8 bytes in 3 cycles), a table otherwise.
#pragma once

#include <cstdint>
#include <string_view>

namespace vigil {

/// The checksum of `bytes`; crc32c("123456789") is 0xE3069283. Pass an earlier result as `seed` to go on
/// after it.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

/// The same by table, whatever the CPU offers: for tests.
std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t seed = 0);

}  // namespace vigil
