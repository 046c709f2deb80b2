#include "aggregator/notify/json_parts.h"

#include <charconv>

namespace vigil::notify {
namespace {

namespace json = boost::json;

std::string as_text(const json::string& text) {
  return {text.data(), text.size()};
}

const json::array* array_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found == nullptr ? nullptr : found->if_array();
}

}  // namespace

json::object to_json(const Labels& labels) {
  json::object out;
  for (const LabelView& label : labels) out[label.name] = label.value;
  return out;
}

json::array to_json(const std::vector<Evidence>& evidence) {
  json::array out;
  for (const Evidence& table : evidence) {
    json::array rows;
    for (const EvidenceRow& row : table.rows) rows.push_back({{"name", row.name}, {"value", row.value}});
    out.push_back({{"title", table.title}, {"rows", std::move(rows)}});
  }
  return out;
}

std::string number_text(double value) {
  return fmt::format("{}", value);
}

std::string text_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_string() ? as_text(found->get_string()) : std::string();
}

std::int64_t integer_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}

double number_at(const json::object& from, std::string_view key) {
  double value = 0;
  const std::string digits = text_at(from, key);
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
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
  const json::array* found = array_at(from, key);
  if (found == nullptr) return out;
  for (const json::value& item : *found) {
    if (item.is_string()) out.push_back(as_text(item.get_string()));
  }
  return out;
}

std::vector<Evidence> evidence_at(const json::object& from, std::string_view key) {
  std::vector<Evidence> out;
  const json::array* tables = array_at(from, key);
  if (tables == nullptr) return out;
  for (const json::value& table : *tables) {
    if (!table.is_object()) continue;
    Evidence& made = out.emplace_back();
    made.title = text_at(table.get_object(), "title");
    const json::array* rows = array_at(table.get_object(), "rows");
    if (rows == nullptr) continue;
    for (const json::value& row : *rows) {
      if (row.is_object())
        made.rows.push_back({text_at(row.get_object(), "name"), text_at(row.get_object(), "value")});
    }
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

}  // namespace vigil::notify
