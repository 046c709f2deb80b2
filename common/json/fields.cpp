#include "common/json/fields.h"

namespace vigil::json_fields {
namespace {

namespace json = boost::json;

std::string as_text(const json::string& text) {
  return {text.data(), text.size()};
}

}  // namespace

json::object to_json(const Labels& labels) {
  json::object out;
  for (const LabelView& label : labels) out[label.name] = label.value;
  return out;
}

std::string text_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_string() ? as_text(found->get_string()) : std::string();
}

std::int64_t integer_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}

Labels labels_at(const json::object& from, std::string_view key) {
  std::vector<Label> out;
  const json::value* found = from.if_contains(key);
  if (found == nullptr || !found->is_object()) return {};
  for (const auto& [name, value] : found->get_object()) {
    if (value.is_string())
      out.push_back({std::string(name.data(), name.size()), as_text(value.get_string())});
  }
  return Labels(std::move(out));
}

std::vector<std::string> texts_at(const json::object& from, std::string_view key) {
  std::vector<std::string> out;
  const json::value* found = from.if_contains(key);
  if (found == nullptr || !found->is_array()) return out;
  for (const json::value& item : found->get_array()) {
    if (item.is_string()) out.push_back(as_text(item.get_string()));
  }
  return out;
}

Result<json::object> parse_object(std::string_view text, std::string_view what) {
  boost::system::error_code error;
  json::value parsed = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return fail(Errc::parse, "{}: not JSON: {}", what, error.message());
  if (!parsed.is_object()) return fail(Errc::parse, "{}: not a JSON object", what);
  return std::move(parsed.get_object());
}

}  // namespace vigil::json_fields
