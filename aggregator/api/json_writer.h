// JSON into a string, from left to right; what came in as bytes comes out as valid UTF-8. Nothing is ever
// written that is not JSON, as long as objects and arrays are ended and each key has its value.
#pragma once

#include "common/series.h"

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::aggregator::api {

class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& string(std::string_view text);
  template <std::integral T>
  JsonWriter& number(T value) {
    if constexpr (std::is_signed_v<T>) return integer(static_cast<std::int64_t>(value));
    return natural(static_cast<std::uint64_t>(value));
  }
  /// JSON has neither infinity nor NaN: those are null.
  JsonWriter& number(double value);
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  /// JSON made elsewhere.
  JsonWriter& raw(std::string_view json);

  // A member of an object in one call.
  JsonWriter& member(std::string_view name, std::string_view text) { return key(name).string(text); }
  template <std::integral T>
  JsonWriter& member(std::string_view name, T value) {
    return key(name).number(value);
  }
  JsonWriter& member(std::string_view name, double value) { return key(name).number(value); }

  // As Prometheus's API writes them.
  /// Unix milliseconds as seconds: 1435781451.781
  JsonWriter& timestamp(std::int64_t t_ms);
  /// In quotes: "1", "+Inf", "1e+21". See append_value().
  JsonWriter& value(double value);
  /// [1435781451.781,"1"]
  JsonWriter& point(std::int64_t t_ms, double v);
  JsonWriter& labels(const Labels& labels);

  std::size_t size() const { return out_.size(); }
  /// What was written since the last take().
  std::string take();

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& integer(std::int64_t value);
  JsonWriter& natural(std::uint64_t value);
  void separate() {
    if (comma_) out_ += ',';
    comma_ = true;
  }
  void quote(std::string_view text);

  std::string out_;
  bool comma_ = false;  // the next value follows another
};

/// The shortest digits that read back; with an exponent below 1e-6 and from 1e21 on, as Go's encoding/json
/// does it and with it Prometheus: "0.1", "1e-07", "1e+21", "NaN", "-Inf".
void append_value(std::string& out, double value);

}  // namespace vigil::aggregator::api
