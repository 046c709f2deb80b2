#include "aggregator/api/json_writer.h"

#include "aggregator/promql/literals.h"
#include "aggregator/promql/value.h"
#include "common/text/utf8.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace vigil::aggregator::api {
namespace {

constexpr double kMostExact = 9'007'199'254'740'992.0;  // 2^53

constexpr std::string_view kHex = "0123456789abcdef";

bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
    case '\\':
      out += '\\';
      out += c;
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out += kHex[byte >> 4];
  out += kHex[byte & 0xF];
}

template <class T, class... Format>
void append_number(std::string& out, T value, Format... format) {
  std::array<char, 64> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format...);
  out.append(buffer.data(), end);
}

}  // namespace

void append_value(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  const double size = std::abs(value);
  // Go fills up with zeros behind the shortest digits that read back; to_chars() gives all digits there are.
  if (size >= kMostExact && size < 1e21) {
    out += promql::format_value(value);
    return;
  }
  const bool is_far = size != 0 && (size < 1e-6 || size >= 1e21);
  append_number(out, value, is_far ? std::chars_format::scientific : std::chars_format::fixed);
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  quote(name);
  out_ += ':';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  quote(text);
  return *this;
}

void JsonWriter::quote(std::string_view text) {
  out_ += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    out_.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::size_t length = character_length(text);
    if (length > 1) {
      out_.append(text.substr(0, length));
    } else if (length == 1) {
      append_escaped(out_, text.front());
    } else {
      out_ += "\\ufffd";
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out_ += '"';
}

JsonWriter& JsonWriter::integer(std::int64_t value) {
  separate();
  append_number(out_, value);
  return *this;
}

JsonWriter& JsonWriter::natural(std::uint64_t value) {
  separate();
  append_number(out_, value);
  return *this;
}

JsonWriter& JsonWriter::number(double value) {
  if (!std::isfinite(value)) return null();
  separate();
  append_value(out_, value);
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

JsonWriter& JsonWriter::timestamp(std::int64_t t_ms) {
  separate();
  if (t_ms < 0) out_ += '-';
  const std::uint64_t size =
      t_ms < 0 ? 0 - static_cast<std::uint64_t>(t_ms) : static_cast<std::uint64_t>(t_ms);
  append_number(out_, size / 1000);
  const auto fraction = static_cast<unsigned>(size % 1000);
  if (fraction == 0) return *this;
  out_ += '.';
  if (fraction < 100) out_ += '0';
  if (fraction < 10) out_ += '0';
  append_number(out_, fraction);
  return *this;
}

JsonWriter& JsonWriter::value(double value) {
  separate();
  out_ += '"';
  append_value(out_, value);
  out_ += '"';
  return *this;
}

JsonWriter& JsonWriter::point(std::int64_t t_ms, double v) {
  return begin_array().timestamp(t_ms).value(v).end_array();
}

JsonWriter& JsonWriter::labels(const Labels& labels) {
  begin_object();
  for (const LabelView& label : labels) key(label.name).string(label.value);
  return end_object();
}

std::string JsonWriter::take() {
  return std::exchange(out_, {});
}

}  // namespace vigil::aggregator::api
