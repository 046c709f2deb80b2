// FNV-1a, 64 bits: a hash that is the same on every machine and in every version, for identities that are
// stored. Not for input that wants to collide.
#pragma once

#include <cstdint>
#include <string_view>

namespace vigil {

inline constexpr std::uint64_t kFnvBasis = 0xcbf29ce484222325ULL;

constexpr std::uint64_t fnv1a(std::uint64_t hash, unsigned char byte) {
  return (hash ^ byte) * 0x100000001b3ULL;
}
constexpr std::uint64_t fnv1a(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = fnv1a(hash, static_cast<unsigned char>(c));
  return hash;
}

}  // namespace vigil
