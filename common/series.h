// What a series is: a metric name, labels, a type, and how its raw integers become numbers.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil {

/// One label. A metric's name travels as the label "__name__" wherever labels stand alone.
struct Label {
  std::string name;
  std::string value;
  // clang-tidy 14 takes the generated comparison with 0 for a null pointer.
  friend auto operator<=>(const Label&, const Label&) = default;  // NOLINT(modernize-use-nullptr)
};

inline constexpr std::string_view kMetricName = "__name__";

/// A set of labels, sorted by name, names unique. `sort()` restores the order after building by hand.
class Labels {
 public:
  Labels() = default;
  Labels(std::initializer_list<Label> labels);
  explicit Labels(std::vector<Label> labels);

  /// The value of `name`, or "" (as in Prometheus, an empty label is an absent one).
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  /// Sets a label; an empty value removes it.
  void set(std::string_view name, std::string_view value);
  void erase(std::string_view name) { set(name, ""); }

  auto begin() const { return labels_.begin(); }
  auto end() const { return labels_.end(); }
  std::size_t size() const { return labels_.size(); }
  bool empty() const { return labels_.empty(); }
  std::uint64_t hash() const;
  /// Prometheus notation: `node_load1{instance="web-1"}`, or `{}` when empty.
  std::string to_string() const;

  friend auto operator<=>(const Labels&, const Labels&) = default;  // NOLINT(modernize-use-nullptr)

 private:
  std::vector<Label> labels_;
};

struct LabelsHash {
  std::size_t operator()(const Labels& labels) const { return labels.hash(); }
};

enum class SeriesType : std::uint8_t { unknown = 0, counter = 1, gauge = 2 };
std::string_view to_string(SeriesType type);

/// How a raw int64 stands for a number.
enum class Encoding : std::uint8_t {
  decimal = 0,  // value = raw / 10^scale; exact for what /proc and cgroups print
  float64 = 1,  // raw = the bits of a double, see raw_from_double(): for sources that bring real floats
};

/// No sample at this tick: the series was not there or its collector failed. Never a value.
inline constexpr std::int64_t kAbsent = std::numeric_limits<std::int64_t>::min();

inline constexpr int kMaxScale = 12;

/// A series as its sender describes it. Two series are the same when name and labels are the same.
struct SeriesSpec {
  std::string name;
  Labels labels;  // without __name__
  SeriesType type = SeriesType::unknown;
  Encoding encoding = Encoding::decimal;
  std::uint8_t scale = 0;  // 0 to kMaxScale
  friend bool operator==(const SeriesSpec&, const SeriesSpec&) = default;
};

/// The number a raw value stands for. `raw` must not be kAbsent. Exactly rounded: 10^scale is exact and IEEE
/// division rounds once.
double to_double(std::int64_t raw, Encoding encoding, std::uint8_t scale);

/// Encoding::float64 keeps kAbsent free (it would be -0.0): the bits are xored with one bit pattern of a
/// signalling NaN.
inline constexpr std::uint64_t kFloatMask = 0xFFF4'0BAD'0BAD'0BADULL;
inline std::int64_t raw_from_double(double value) {
  return static_cast<std::int64_t>(std::bit_cast<std::uint64_t>(value) ^ kFloatMask);
}
inline double double_from_raw(std::int64_t raw) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(raw) ^ kFloatMask);
}

/// Prometheus's staleness marker: this NaN and no other says "the series ended here".
inline constexpr std::uint64_t kStaleBits = 0x7ff0000000000002ULL;
inline double stale_marker() {
  return std::bit_cast<double>(kStaleBits);
}
inline bool is_stale(double value) {
  return std::bit_cast<std::uint64_t>(value) == kStaleBits;
}

}  // namespace vigil
