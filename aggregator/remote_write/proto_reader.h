// Fields of a protobuf message, read in place: no copies, no message objects. remote_write's messages are
// simple, and come by the thousand a second. Total on hostile bytes: after a bad one failed() is true and
// there are no more fields.
#pragma once

#include "aggregator/blocks/varint.h"

#include <bit>
#include <cstdint>
#include <string_view>

namespace vigil::aggregator::remote_write {

class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : in_(bytes) {}

  /// The next field; false at the end, or when the bytes are no message. A field that is not read is skipped.
  bool next() {
    skip();
    if (in_.at_end() || failed()) return false;
    const std::uint64_t key = in_.varint();
    field_ = key >> 3;
    wire_ = static_cast<Wire>(key & 7);
    unread_ = true;
    if (field_ == 0 || field_ > kMaxField) bad_ = true;
    return !failed();
  }
  std::uint64_t field() const { return field_; }

  /// The value of this field. Another kind of field than the caller expects is an error.
  std::uint64_t varint() { return expect(Wire::varint) ? in_.varint() : 0; }
  double fixed_double() { return expect(Wire::fixed64) ? std::bit_cast<double>(little_endian()) : 0; }
  std::string_view bytes() { return expect(Wire::bytes) ? in_.take(in_.varint()) : std::string_view(); }
  /// A repeated number: one of them, or as many as are packed.
  bool is_packed() const { return wire_ == Wire::bytes; }

  bool failed() const { return bad_ || in_.failed(); }

 private:
  enum class Wire : std::uint8_t {
    varint = 0,
    fixed64 = 1,
    bytes = 2,
    group = 3,
    end_group = 4,
    fixed32 = 5
  };
  static constexpr std::uint64_t kMaxField = (std::uint64_t{1} << 29) - 1;

  bool expect(Wire wire) {
    unread_ = false;
    if (wire_ == wire) return true;
    bad_ = true;
    return false;
  }
  std::uint64_t little_endian() {
    std::uint64_t value = 0;
    const std::string_view bytes = in_.take(sizeof value);
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
    return value;
  }
  void skip() {
    if (!unread_) return;
    unread_ = false;
    switch (wire_) {
      case Wire::varint:
        (void)in_.varint();
        break;
      case Wire::fixed64:
        (void)in_.take(8);
        break;
      case Wire::bytes:
        (void)in_.take(in_.varint());
        break;
      case Wire::fixed32:
        (void)in_.take(4);
        break;
      default:
        bad_ = true;  // groups: nobody sends them
    }
  }

  ByteReader in_;
  std::uint64_t field_ = 0;
  Wire wire_ = Wire::varint;
  bool unread_ = false;
  bool bad_ = false;
};

}  // namespace vigil::aggregator::remote_write
