// Bodies of remote_write requests, made field by field as senders make them.
#pragma once

#include "common/series.h"

#include <snappy.h>

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator::remote_write::testing {

inline std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
  return out;
}
inline std::string number(int field, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(value);
}
inline std::string text(int field, std::string_view value) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(value.size()) + std::string(value);
}
inline std::string fixed(int field, double value) {
  std::string out = varint(static_cast<std::uint64_t>(field) << 3 | 1);
  const auto bits = std::bit_cast<std::uint64_t>(value);
  for (unsigned shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(bits >> shift));
  return out;
}

struct Sent {
  std::vector<Label> labels;
  std::vector<std::pair<std::int64_t, double>> samples;
};

inline std::string sample(std::int64_t t_ms, double value) {
  return fixed(1, value) + number(2, static_cast<std::uint64_t>(t_ms));
}

inline std::string body_v1(const std::vector<Sent>& all) {
  std::string out;
  for (const Sent& sent : all) {
    std::string series;
    for (const Label& label : sent.labels) series += text(1, text(1, label.name) + text(2, label.value));
    for (const auto& [t_ms, value] : sent.samples) series += text(2, sample(t_ms, value));
    out += text(1, series);
  }
  return out;
}

inline std::string body_v2(const std::vector<Sent>& all) {
  std::vector<std::string> symbols{""};
  std::string out;
  for (const Sent& sent : all) {
    std::string refs;
    for (const Label& label : sent.labels) {
      refs += varint(symbols.size()) + varint(symbols.size() + 1);
      symbols.push_back(label.name);
      symbols.push_back(label.value);
    }
    std::string series = text(1, refs);
    for (const auto& [t_ms, value] : sent.samples) series += text(2, sample(t_ms, value));
    out += text(5, series);
  }
  std::string head;
  for (const std::string& symbol : symbols) head += text(4, symbol);
  return head + out;
}

inline std::string compressed(const std::string& plain) {
  std::string out;
  snappy::Compress(plain.data(), plain.size(), &out);
  return out;
}

}  // namespace vigil::aggregator::remote_write::testing
