// Labels, names and values come from agents: whatever their bytes, what is written is JSON that another
// parser reads, with the same values.
#include "aggregator/api/json_writer.h"
#include "common/text/utf8.h"

#include <bit>
#include <boost/json/parse.hpp>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

using vigil::aggregator::api::JsonWriter;

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto length = vigil::character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

double read_value(std::string_view text) {
  if (text == "NaN") return std::nan("");
  return std::strtod(std::string(text).c_str(), nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 16) return 0;
  double value = 0;
  std::int64_t t_ms = 0;
  std::memcpy(&value, data, sizeof value);
  std::memcpy(&t_ms, data + 8, sizeof t_ms);
  const std::string text(reinterpret_cast<const char*>(data + 16), size - 16);
  JsonWriter out;
  out.begin_object().member("text", text).key("point").point(t_ms, value);
  out.key("labels").labels(vigil::Labels{{"__name__", text}, {text + "x", text}});
  out.member("number", value).member("whole", t_ms).end_object();
  boost::system::error_code error;
  const auto read = boost::json::parse(out.take(), error);
  if (error) std::abort();
  if (is_utf8(text) && std::string_view(read.at("text").as_string()) != text) std::abort();
  const double again = read_value(read.at("point").as_array()[1].as_string());
  if (!std::isnan(value) && std::bit_cast<std::uint64_t>(again) != std::bit_cast<std::uint64_t>(value))
    std::abort();
  if (read.at("whole").to_number<std::int64_t>() != t_ms) std::abort();
  return 0;
}
