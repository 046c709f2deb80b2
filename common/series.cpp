#include "common/series.h"

#include "common/fnv1a.h"
#include "common/text/quotes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace vigil {
namespace {

bool by_name(const Label& a, const Label& b) {
  return a.name < b.name;
}

constexpr std::size_t kUsualLengthBytes = 1;  // of a text below 128 bytes

constexpr std::array<double, kMaxScale + 1> kPowers = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                                       1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

}  // namespace

Labels::Labels(std::initializer_list<Label> labels) : Labels(std::vector<Label>(labels)) {}

Labels::Labels(std::vector<Label> labels) {
  std::stable_sort(labels.begin(), labels.end(), by_name);
  std::size_t bytes = 0;
  for (const Label& label : labels) bytes += label.name.size() + label.value.size() + 2 * kUsualLengthBytes;
  packed_.reserve(bytes);
  const std::string* before = nullptr;
  for (const Label& label : labels) {
    if (label.value.empty() || (before != nullptr && *before == label.name)) continue;
    append(label.name, label.value);
    before = &label.name;
  }
}

Labels Labels::of_sorted(std::span<const LabelView> labels) {
  Labels made;
  std::size_t bytes = 0;
  for (const LabelView& label : labels)
    bytes += label.name.size() + label.value.size() + 2 * kUsualLengthBytes;
  made.packed_.reserve(bytes);
  for (const LabelView& label : labels) made.append(label.name, label.value);
  return made;
}

void Labels::append(std::string_view name, std::string_view value) {
  for (const std::string_view text : {name, value}) {
    std::size_t length = text.size();
    for (; length >= 0x80; length >>= 7) packed_ += static_cast<char>(length | 0x80);
    packed_ += static_cast<char>(length);
    packed_ += text;
  }
}

std::size_t Labels::size() const {
  return static_cast<std::size_t>(std::distance(begin(), end()));
}

std::string_view Labels::get(std::string_view name) const {
  for (const LabelView& label : *this) {
    if (label.name == name) return label.value;
  }
  return {};
}

bool Labels::has(std::string_view name) const {
  return !get(name).empty();
}

void Labels::set(std::string_view name, std::string_view value) {
  Labels changed;
  changed.packed_.reserve(packed_.size() + name.size() + value.size() + 2 * kUsualLengthBytes);
  bool placed = value.empty();
  for (const LabelView& label : *this) {
    if (!placed && name <= label.name) {
      changed.append(name, value);
      placed = true;
    }
    if (label.name != name) changed.append(label.name, label.value);
  }
  if (!placed) changed.append(name, value);
  packed_ = std::move(changed.packed_);
}

std::strong_ordering operator<=>(const Labels& a, const Labels& b) {
  auto left = a.begin();
  auto right = b.begin();
  for (; left != a.end() && right != b.end(); ++left, ++right) {
    if (const auto order = *left <=> *right; order != 0) return order;  // NOLINT(modernize-use-nullptr)
  }
  return (left != a.end()) <=> (right != b.end());
}

std::uint64_t Labels::hash() const {
  std::uint64_t hash = kFnvBasis;
  for (const LabelView& label : *this) {  // with separators that UTF-8 never contains
    hash = fnv1a(fnv1a(hash, label.name), static_cast<unsigned char>(0xFE));
    hash = fnv1a(fnv1a(hash, label.value), static_cast<unsigned char>(0xFF));
  }
  return hash;
}

namespace {

/// Letters, digits and `_`, of metrics also `:`, not beginning with a digit: what needs no quotes in PromQL.
bool is_plain_name(std::string_view name, bool is_metric) {
  const auto is_letter = [is_metric](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (is_metric && c == ':');
  };
  if (name.empty() || !is_letter(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace

std::string Labels::to_string() const {
  const std::string_view metric = get(kMetricName);
  const bool is_plain = metric.empty() || is_plain_name(metric, true);
  std::string out(is_plain ? metric : "");
  std::string inner;
  if (!is_plain) append_quoted(inner, metric);
  for (const LabelView& label : *this) {
    if (label.name == kMetricName) continue;
    if (!inner.empty()) inner += ", ";
    if (is_plain_name(label.name, false)) {
      inner += label.name;
    } else {
      append_quoted(inner, label.name);
    }
    inner += '=';
    append_quoted(inner, label.value);
  }
  if (out.empty() || !inner.empty()) out += '{' + inner + '}';
  return out;
}

std::string_view to_string(SeriesType type) {
  switch (type) {
    case SeriesType::counter:
      return "counter";
    case SeriesType::gauge:
      return "gauge";
    case SeriesType::unknown:
      break;
  }
  return "unknown";
}

double to_double(std::int64_t raw, Encoding encoding, std::uint8_t scale) {
  if (is_float(encoding)) return double_from_raw(raw);
  if (encoding == Encoding::sparse_decimal && raw == kEnded) return stale_marker();
  if (scale == 0) return static_cast<double>(raw);
  return static_cast<double>(raw) / power_of_ten(scale);
}

double power_of_ten(std::uint8_t scale) {
  return kPowers[std::min<std::size_t>(scale, kMaxScale)];
}

}  // namespace vigil
