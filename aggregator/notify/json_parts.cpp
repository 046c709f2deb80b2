#include "aggregator/notify/json_parts.h"

#include <charconv>

namespace vigil::notify {
namespace {

namespace json = boost::json;

const json::array* array_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found == nullptr ? nullptr : found->if_array();
}

}  // namespace

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

double number_at(const json::object& from, std::string_view key) {
  double value = 0;
  const std::string digits = text_at(from, key);
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
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

}  // namespace vigil::notify
