// Stored values as JSON objects. Reading is lenient: what is missing or of another type is left out, since
// what an older version stored lacks what is new.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::json_fields {

boost::json::object to_json(const Labels& labels);

std::string text_at(const boost::json::object& from, std::string_view key);
std::int64_t integer_at(const boost::json::object& from, std::string_view key);
Labels labels_at(const boost::json::object& from, std::string_view key);
std::vector<std::string> texts_at(const boost::json::object& from, std::string_view key);

/// Errc::parse when it is not one.
Result<boost::json::object> parse_object(std::string_view text, std::string_view what);

}  // namespace vigil::json_fields
