#include "aggregator/blocks/column.h"

#include "aggregator/blocks/compress.h"
#include "common/series.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <vector>

namespace vigil::aggregator {
namespace {

enum class Transform : std::uint8_t {
  empty = 0,     // no row holds a sample
  constant = 1,  // one value for all
  linear = 2,    // first + i * step
  frame = 3,     // base, then (value - base) / divisor: gauges that wobble around a level
  delta = 4,     // first, then differences / divisor: counters
  second = 5,    // first, then differences of differences / divisor: counters with a steady rate
  planes = 6,    // value xor the one before, byte planes from the highest: real floats
};
constexpr std::uint8_t kTransformMask = 0x07;
constexpr std::uint8_t kHasDivisor = 0x08;
constexpr std::uint8_t kHasAbsent = 0x80;

// Where the average integer needs more bits than this, byte planes are tried and the smaller one of both is
// taken.
constexpr std::size_t kTryPlanesBits = 28;
constexpr std::size_t kPlanes = sizeof(std::uint64_t);

std::uint64_t as_unsigned(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}
std::int64_t as_signed(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}
std::uint64_t magnitude(std::int64_t value) {
  return value < 0 ? ~as_unsigned(value) + 1 : as_unsigned(value);
}
// All differences are taken modulo 2^64: they may overflow, and adding them up again gives back the value all
// the same.
std::int64_t difference(std::int64_t later, std::int64_t earlier) {
  return as_signed(as_unsigned(later) - as_unsigned(earlier));
}

// ----------------------------------------------------------------------------------------------------------------
// encoding

struct Plan {
  Transform transform = Transform::empty;
  std::uint64_t divisor = 1;
  std::int64_t base = 0;  // constant, linear, delta, second: the first value; frame: the least
  std::int64_t step = 0;  // linear
  std::size_t bits = 0;   // of all integers together: what an ideal coder would about need
};

// The greatest common divisor of all differences; 1 when they may overflow. Kilobytes told in bytes, pages,
// sectors: dividing it out saves one to two bytes a sample.
std::uint64_t common_divisor(std::span<const std::int64_t> values, std::int64_t least, std::int64_t most) {
  if (as_unsigned(most) - as_unsigned(least) > as_unsigned(std::numeric_limits<std::int64_t>::max()))
    return 1;
  std::uint64_t divisor = 0;
  for (std::size_t i = 1; i < values.size() && divisor != 1; ++i) {
    const std::uint64_t distance = magnitude(values[i] - values[i - 1]);
    if (divisor == 0 || distance % divisor != 0) divisor = std::gcd(divisor, distance);
  }
  return divisor == 0 ? 1 : divisor;
}

bool is_linear(std::span<const std::int64_t> values) {
  const std::int64_t step = difference(values[1], values[0]);
  for (std::size_t i = 2; i < values.size(); ++i) {
    if (difference(values[i], values[i - 1]) != step) return false;
  }
  return true;
}

std::size_t bits_of(std::uint64_t value) {
  return static_cast<std::size_t>(std::bit_width(value));
}

Plan plan_integers(std::span<const std::int64_t> values) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*least == *most) return {.transform = Transform::constant, .base = *least};
  const std::int64_t first = values.front();
  if (is_linear(values))
    return {.transform = Transform::linear, .base = first, .step = difference(values[1], first)};
  const std::uint64_t divisor = common_divisor(values, *least, *most);
  const auto signed_divisor = as_signed(divisor);
  std::size_t frame = bits_of((as_unsigned(first) - as_unsigned(*least)) / divisor);
  std::size_t delta = 0;
  std::size_t second = 0;
  std::int64_t before = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const std::int64_t now = difference(values[i], values[i - 1]) / signed_divisor;
    frame += bits_of((as_unsigned(values[i]) - as_unsigned(*least)) / divisor);
    delta += bits_of(zigzag(now));
    second += bits_of(zigzag(difference(now, before)));
    before = now;
  }
  const std::size_t bits = std::min({frame, delta, second});
  if (bits == delta) return {Transform::delta, divisor, first, 0, bits};
  if (bits == frame) return {Transform::frame, divisor, *least, 0, bits};
  return {Transform::second, divisor, first, 0, bits};
}

void append_integers(std::span<const std::int64_t> values, const Plan& plan, std::string& out) {
  const std::size_t start = out.size();
  out.resize(start + values.size() * kMaxVarintBytes);
  char* at = out.data() + start;
  const auto divisor = as_signed(plan.divisor);
  if (plan.transform == Transform::frame) {
    for (const std::int64_t value : values) {
      at = write_varint(at, (as_unsigned(value) - as_unsigned(plan.base)) / plan.divisor);
    }
  } else {
    std::int64_t before = 0;
    for (std::size_t i = 1; i < values.size(); ++i) {
      const std::int64_t now = difference(values[i], values[i - 1]) / divisor;
      at = write_varint(at, zigzag(plan.transform == Transform::delta ? now : difference(now, before)));
      before = now;
    }
  }
  out.resize(static_cast<std::size_t>(at - out.data()));
}

void append_planes(std::span<const std::int64_t> values, std::string& out) {
  const std::size_t start = out.size();
  out.resize(start + values.size() * kPlanes);
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t changed = as_unsigned(values[i]) ^ before;
    before = as_unsigned(values[i]);
    for (std::size_t plane = 0; plane < kPlanes; ++plane) {
      out[start + plane * values.size() + i] = static_cast<char>(changed >> (8 * (kPlanes - 1 - plane)));
    }
  }
}

void append_payload(std::span<const std::int64_t> values, const Plan& plan, std::string& out) {
  if (plan.divisor != 1) append_varint(out, plan.divisor);
  append_varint(out, zigzag(plan.base));
  if (plan.transform == Transform::linear) append_varint(out, zigzag(plan.step));
  if (plan.transform > Transform::linear) append_integers(values, plan, out);
}

// Runs of absent rows: their number, then (rows since the last run, length) of each.
void append_absent(std::span<const std::int64_t> values, std::string& out) {
  std::string runs;
  std::uint64_t count = 0;
  std::size_t last_end = 0;
  for (std::size_t i = 0; i < values.size();) {
    if (values[i] != kAbsent) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < values.size() && values[end] == kAbsent) ++end;
    append_varint(runs, i - last_end);
    append_varint(runs, end - i);
    last_end = i = end;
    ++count;
  }
  append_varint(out, count);
  out += runs;
}

bool planes_are_smaller(std::span<const std::int64_t> values, const Plan& plan) {
  if (plan.transform < Transform::frame || plan.bits < kTryPlanesBits * values.size()) return false;
  thread_local std::string integers;
  thread_local std::string planes;
  integers.clear();
  planes.clear();
  append_payload(values, plan, integers);
  append_planes(values, planes);
  return compressed_size(planes) < compressed_size(integers);
}

// ----------------------------------------------------------------------------------------------------------------
// decoding

struct Head {
  Transform transform = Transform::empty;
  std::uint64_t divisor = 1;
  std::size_t present = 0;  // rows that hold a sample
  std::vector<std::uint32_t>* runs = nullptr;
};

// Reads up to the payload. `runs` gets (skip, length) pairs.
bool read_head(ByteReader& in, std::size_t rows, Head& head) {
  const std::uint8_t byte = in.byte();
  head.transform = static_cast<Transform>(byte & kTransformMask);
  if (head.transform > Transform::planes || (byte & ~(kTransformMask | kHasDivisor | kHasAbsent)) != 0)
    return false;
  head.present = rows;
  head.runs->clear();
  if ((byte & kHasAbsent) != 0) {
    const std::uint64_t count = in.varint();
    if (count > rows) return false;
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t skip = in.varint();
      const std::uint64_t length = in.varint();
      if (skip > rows - at || length > rows - at - skip) return false;
      at += skip + length;
      head.present -= length;
      head.runs->push_back(static_cast<std::uint32_t>(skip));
      head.runs->push_back(static_cast<std::uint32_t>(length));
    }
  }
  if ((head.transform == Transform::empty) != (head.present == 0)) return false;
  if ((byte & kHasDivisor) != 0) head.divisor = in.varint();
  return !in.failed() && head.divisor != 0;
}

void decode_planes(std::string_view bytes, std::span<std::int64_t> values) {
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint64_t changed = 0;
    for (std::size_t plane = 0; plane < kPlanes; ++plane) {
      changed = (changed << 8) | static_cast<std::uint8_t>(bytes[plane * values.size() + i]);
    }
    before ^= changed;
    values[i] = as_signed(before);
  }
}

void decode_frame(ByteReader& in, std::uint64_t base, std::uint64_t divisor, std::span<std::int64_t> values) {
  std::int64_t* to = values.data();
  in.varints(values.size(), [&](std::uint64_t above) { *to++ = as_signed(base + above * divisor); });
}

void decode_delta(ByteReader& in, std::uint64_t first, std::uint64_t divisor,
                  std::span<std::int64_t> values) {
  std::uint64_t now = first;
  std::int64_t* to = values.data();
  *to++ = as_signed(now);
  in.varints(values.size() - 1, [&](std::uint64_t change) {
    now += as_unsigned(unzigzag(change)) * divisor;
    *to++ = as_signed(now);
  });
}

void decode_second(ByteReader& in, std::uint64_t first, std::uint64_t divisor,
                   std::span<std::int64_t> values) {
  std::uint64_t now = first;
  std::uint64_t rate = 0;
  std::int64_t* to = values.data();
  *to++ = as_signed(now);
  in.varints(values.size() - 1, [&](std::uint64_t change) {
    rate += as_unsigned(unzigzag(change));
    now += rate * divisor;
    *to++ = as_signed(now);
  });
}

void decode_linear(std::uint64_t first, std::uint64_t step, std::span<std::int64_t> values) {
  for (std::int64_t& value : values) {
    value = as_signed(first);
    first += step;
  }
}

void decode_present(ByteReader& in, const Head& head, std::span<std::int64_t> values) {
  if (head.transform == Transform::planes) {
    const std::string_view bytes = in.take(values.size() * kPlanes);
    if (!in.failed()) decode_planes(bytes, values);
    return;
  }
  const std::uint64_t base = as_unsigned(in.signed_varint());
  switch (head.transform) {
    case Transform::constant:
      std::fill(values.begin(), values.end(), as_signed(base));
      break;
    case Transform::linear:
      decode_linear(base, as_unsigned(in.signed_varint()), values);
      break;
    case Transform::frame:
      decode_frame(in, base, head.divisor, values);
      break;
    case Transform::delta:
      decode_delta(in, base, head.divisor, values);
      break;
    case Transform::second:
      decode_second(in, base, head.divisor, values);
      break;
    case Transform::empty:
    case Transform::planes:
      break;
  }
}

// The present values stand at the front of `values`: moves them apart, from the back, so that nothing is
// overwritten early.
void spread(std::span<const std::uint32_t> runs, std::size_t present, std::span<std::int64_t> values) {
  std::size_t to = values.size();
  std::size_t covered = 0;
  for (const std::uint32_t length : runs) covered += length;
  std::size_t tail = values.size() - covered;  // rows after the last run
  for (std::size_t run = runs.size(); run > 0; run -= 2) {
    while (tail > 0) {
      values[--to] = values[--present];
      --tail;
    }
    for (std::uint32_t i = 0; i < runs[run - 1]; ++i) values[--to] = kAbsent;
    tail = runs[run - 2];
  }
}

std::vector<std::uint32_t>& scratch_runs() {
  thread_local std::vector<std::uint32_t> runs;
  return runs;
}

}  // namespace

std::size_t encode_column(std::span<const std::int64_t> values, std::string& out) {
  thread_local std::vector<std::int64_t> kept;
  std::span<const std::int64_t> present = values;
  const bool has_absent = std::find(values.begin(), values.end(), kAbsent) != values.end();
  if (has_absent) {
    kept.clear();
    std::copy_if(values.begin(), values.end(), std::back_inserter(kept),
                 [](std::int64_t v) { return v != kAbsent; });
    present = kept;
  }
  Plan plan;
  if (!present.empty()) plan = plan_integers(present);
  if (planes_are_smaller(present, plan)) plan = {.transform = Transform::planes};
  std::uint8_t head = static_cast<std::uint8_t>(plan.transform);
  if (plan.divisor != 1) head |= kHasDivisor;
  if (has_absent) head |= kHasAbsent;
  out.push_back(static_cast<char>(head));
  if (has_absent) append_absent(values, out);
  if (plan.transform == Transform::planes) {
    append_planes(present, out);
  } else if (plan.transform != Transform::empty) {
    append_payload(present, plan, out);
  }
  return present.size();
}

bool decode_column(ByteReader& in, std::span<std::int64_t> values) {
  Head head{.runs = &scratch_runs()};
  if (!read_head(in, values.size(), head)) return false;
  if (head.present > 0) decode_present(in, head, values.first(head.present));
  if (in.failed()) return false;
  if (head.present != values.size()) spread(*head.runs, head.present, values);
  return true;
}

bool skip_column(ByteReader& in, std::size_t rows) {
  Head head{.runs = &scratch_runs()};
  if (!read_head(in, rows, head)) return false;
  switch (head.transform) {
    case Transform::empty:
      break;
    case Transform::constant:
      in.skip_varints(1);
      break;
    case Transform::linear:
      in.skip_varints(2);
      break;
    case Transform::frame:
      in.skip_varints(1 + head.present);
      break;
    case Transform::delta:
    case Transform::second:
      in.skip_varints(head.present);
      break;
    case Transform::planes:
      in.take(head.present * kPlanes);
      break;
  }
  return !in.failed();
}

}  // namespace vigil::aggregator
