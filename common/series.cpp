#include "common/series.h"

#include "common/fnv1a.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace vigil {
namespace {

bool by_name(const Label& a, const Label& b) {
  return a.name < b.name;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
}

constexpr std::array<double, kMaxScale + 1> kPowers = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                                       1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

}  // namespace

Labels::Labels(std::initializer_list<Label> labels) : Labels(std::vector<Label>(labels)) {}

Labels::Labels(std::vector<Label> labels) : labels_(std::move(labels)) {
  std::erase_if(labels_, [](const Label& label) { return label.value.empty(); });
  std::stable_sort(labels_.begin(), labels_.end(), by_name);
  labels_.erase(std::unique(labels_.begin(), labels_.end(),
                            [](const Label& a, const Label& b) { return a.name == b.name; }),
                labels_.end());
}

std::string_view Labels::get(std::string_view name) const {
  for (const Label& label : labels_) {
    if (label.name == name) return label.value;
  }
  return {};
}

bool Labels::has(std::string_view name) const {
  return !get(name).empty();
}

void Labels::set(std::string_view name, std::string_view value) {
  const auto at = std::lower_bound(labels_.begin(), labels_.end(), name,
                                   [](const Label& label, std::string_view key) { return label.name < key; });
  const bool found = at != labels_.end() && at->name == name;
  if (value.empty()) {
    if (found) labels_.erase(at);
  } else if (found) {
    at->value = value;
  } else {
    labels_.insert(at, Label{std::string(name), std::string(value)});
  }
}

std::uint64_t Labels::hash() const {
  std::uint64_t hash = kFnvBasis;
  for (const Label& label : labels_) {  // with separators that UTF-8 never contains
    hash = fnv1a(fnv1a(hash, label.name), static_cast<unsigned char>(0xFE));
    hash = fnv1a(fnv1a(hash, label.value), static_cast<unsigned char>(0xFF));
  }
  return hash;
}

std::string Labels::to_string() const {
  std::string out(get(kMetricName));
  std::string inner;
  for (const Label& label : labels_) {
    if (label.name == kMetricName) continue;
    if (!inner.empty()) inner += ", ";
    inner += label.name;
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
  if (encoding == Encoding::float64) return double_from_raw(raw);
  if (scale == 0) return static_cast<double>(raw);
  return static_cast<double>(raw) / kPowers[std::min<std::size_t>(scale, kMaxScale)];
}

}  // namespace vigil
