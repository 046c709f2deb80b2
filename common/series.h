// What a series is: a metric name, labels, a type, and how its raw integers become numbers.
#pragma once

#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil {

/// One label, to build Labels from. A metric's name travels as the label "__name__" wherever labels stand
/// alone.
struct Label {
  std::string name;
  std::string value;
};

/// One label of a Labels, good as long as that is.
struct LabelView {
  std::string_view name;
  std::string_view value;
  // clang-tidy 14 takes the generated comparison with 0 for a null pointer.
  friend auto operator<=>(const LabelView&, const LabelView&) = default;  // NOLINT(modernize-use-nullptr)
};

inline constexpr std::string_view kMetricName = "__name__";

/// A set of labels, sorted by name, names unique, none of them empty. An aggregator has one for each series
/// of the fleet: all texts stand in one string, each behind its length.
class Labels {
 public:
  class Iterator;

  Labels() = default;
  Labels(std::initializer_list<Label> labels);
  /// In any order; of labels with one name the first one counts.
  explicit Labels(std::vector<Label> labels);

  /// Of labels sorted by name, none twice and none empty.
  static Labels of_sorted(std::span<const LabelView> labels);

  /// The value of `name`, or "" (as in Prometheus, an empty label is an absent one).
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  /// Sets a label; an empty value removes it.
  void set(std::string_view name, std::string_view value);
  void erase(std::string_view name) { set(name, ""); }

  Iterator begin() const;
  Iterator end() const;
  /// Walks over all of them.
  std::size_t size() const;
  bool empty() const { return packed_.empty(); }
  /// What the texts take beside the object itself.
  std::size_t heap_bytes() const { return packed_.capacity(); }
  std::uint64_t hash() const;
  /// Prometheus notation: `node_load1{instance="web-1"}`, or `{}` when empty.
  std::string to_string() const;

  friend bool operator==(const Labels&, const Labels&) = default;
  /// By the first label that differs: its name, then its value.
  friend std::strong_ordering operator<=>(const Labels& a, const Labels& b);

 private:
  void append(std::string_view name, std::string_view value);

  std::string packed_;  // of each label: name, then value, each behind its length as a varint (LEB128)
};

/// Forward; a label is made as it is looked at.
class Labels::Iterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = LabelView;
  using difference_type = std::ptrdiff_t;
  using pointer = const LabelView*;
  using reference = const LabelView&;

  Iterator() = default;
  reference operator*() const { return label_; }
  pointer operator->() const { return &label_; }
  Iterator& operator++() {
    at_ = next_;
    read();
    return *this;
  }
  Iterator operator++(int) {
    const Iterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

 private:
  friend class Labels;
  Iterator(const char* at, const char* end) : at_(at), next_(at), end_(end) { read(); }
  std::string_view text() {
    std::size_t length = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(*next_++);
      length |= static_cast<std::size_t>(byte & 0x7F) << shift;
      if (byte < 0x80) break;
    }
    const std::string_view found(next_, length);
    next_ += length;
    return found;
  }
  void read() {
    if (at_ == end_) return;
    label_.name = text();
    label_.value = text();
  }

  const char* at_ = nullptr;
  const char* next_ = nullptr;  // behind the label
  const char* end_ = nullptr;
  LabelView label_;
};

inline Labels::Iterator Labels::begin() const {
  return {packed_.data(), packed_.data() + packed_.size()};
}
inline Labels::Iterator Labels::end() const {
  const char* end = packed_.data() + packed_.size();
  return {end, end};
}

struct LabelsHash {
  std::size_t operator()(const Labels& labels) const { return labels.hash(); }
};

enum class SeriesType : std::uint8_t { unknown = 0, counter = 1, gauge = 2 };
std::string_view to_string(SeriesType type);

/// How a raw int64 stands for a number.
enum class Encoding : std::uint8_t {
  decimal = 0,  // value = raw / 10^scale; exact for what /proc and cgroups print
  float64 = 1,  // raw = the bits of a double, see raw_from_double(): for sources that bring real floats
  // The same of series that no agent sampled: an absent cell says nothing. What ends them is a marker of
  // their own, kEnded in decimals and a double's stale_marker(). They never travel in a Schema.
  sparse_decimal = 2,
  sparse_float64 = 3,
};
constexpr bool is_float(Encoding encoding) {
  return encoding == Encoding::float64 || encoding == Encoding::sparse_float64;
}
constexpr bool is_sparse(Encoding encoding) {
  return encoding == Encoding::sparse_decimal || encoding == Encoding::sparse_float64;
}

/// No sample at this tick: the series was not there or its collector failed. Never a value.
inline constexpr std::int64_t kAbsent = std::numeric_limits<std::int64_t>::min();

/// The staleness marker of Encoding::sparse_decimal.
inline constexpr std::int64_t kEnded = kAbsent + 1;

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
/// What decimals of that scale are divided by.
double power_of_ten(std::uint8_t scale);

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

/// Whether a raw value is no number, but says that its series ended here.
inline bool is_end(std::int64_t raw, Encoding encoding) {
  if (encoding == Encoding::sparse_decimal) return raw == kEnded;
  return encoding == Encoding::sparse_float64 && is_stale(double_from_raw(raw));
}

}  // namespace vigil
