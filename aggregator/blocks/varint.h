// Little integers in few bytes: LEB128 varints (7 bits a byte, least significant first, high bit says "more")
// and zigzag for signs.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace vigil::aggregator {

inline constexpr std::size_t kMaxVarintBytes = 10;

constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

/// Writes to `at`, which must have room for kMaxVarintBytes; returns the end of what was written.
inline char* write_varint(char* at, std::uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}

inline void append_varint(std::string& out, std::uint64_t value) {
  char buffer[kMaxVarintBytes];
  out.append(buffer, static_cast<std::size_t>(write_varint(buffer, value) - buffer));
}

/// Reads through bytes it does not trust: a read past the end sets failed() and yields 0 from then on.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  std::uint64_t varint() {
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) return static_cast<std::uint8_t>(*at_++);
    return long_varint();
  }
  std::int64_t signed_varint() { return unzigzag(varint()); }
  std::uint8_t byte() { return at_ != end_ ? static_cast<std::uint8_t>(*at_++) : give_up(); }
  std::string_view take(std::size_t size) {
    if (size > left()) {
      give_up();
      return {};
    }
    const std::string_view taken(at_, size);
    at_ += size;
    return taken;
  }
  /// Steps over `count` varints, eight bytes at a time: each ends at a byte whose high bit is clear.
  void skip_varints(std::size_t count) {
    constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;
    while (count >= sizeof(std::uint64_t) && left() >= sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, at_, sizeof word);
      count -= static_cast<std::size_t>(std::popcount(~word & kHighBits));
      at_ += sizeof word;
    }
    // The last eight bytes may have ended inside a varint; its end is still to be counted, so going on byte
    // by byte is right.
    while (count > 0 && !failed_) {
      if (byte() < 0x80) --count;
    }
  }

  /// Reads `count` varints and hands each to `take(value)`. As far as the bytes are known to suffice, without
  /// looking where they end; most are short.
  template <class Take>
  void varints(std::size_t count, Take take) {
    const char* at = at_;
    while (count > 0 && static_cast<std::size_t>(end_ - at) >= kMaxVarintBytes) {
      const auto first = static_cast<std::uint8_t>(at[0]);
      const auto second = static_cast<std::uint8_t>(at[1]);
      if (first < 0x80) {
        take(std::uint64_t{first});
        at += 1;
      } else if (second < 0x80) {
        take(std::uint64_t{first & 0x7FU} | (std::uint64_t{second} << 7));
        at += 2;
      } else {
        at_ = at;
        take(long_varint());
        if (failed_) return;
        at = at_;
      }
      --count;
    }
    at_ = at;
    for (; count > 0; --count) take(varint());
  }

  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }
  bool failed() const { return failed_; }
  bool at_end() const { return at_ == end_; }

 private:
  std::uint64_t long_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) return give_up();
      const auto next = static_cast<std::uint8_t>(*at_++);
      value |= static_cast<std::uint64_t>(next & 0x7F) << shift;
      if (next < 0x80) return value;
    }
    return give_up();
  }
  std::uint8_t give_up() {
    failed_ = true;
    at_ = end_;
    return 0;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  bool failed_ = false;
};

}  // namespace vigil::aggregator
