// The parts that stored alerts and notifications share, as JSON. Reading is lenient: what is missing or of
// another type is left out, since a file of an older version lacks what is new.
#pragma once

#include "aggregator/notify/notification.h"

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::notify {

boost::json::object to_json(const Labels& labels);
boost::json::array to_json(const std::vector<Evidence>& evidence);
/// JSON has no NaN and no infinity: a number as text.
std::string number_text(double value);

std::string text_at(const boost::json::object& from, std::string_view key);
std::int64_t integer_at(const boost::json::object& from, std::string_view key);
double number_at(const boost::json::object& from, std::string_view key);
Labels labels_at(const boost::json::object& from, std::string_view key);
std::vector<std::string> texts_at(const boost::json::object& from, std::string_view key);
std::vector<Evidence> evidence_at(const boost::json::object& from, std::string_view key);

/// Errc::parse when it is not one.
Result<boost::json::object> parse_object(std::string_view text, std::string_view what);

}  // namespace vigil::notify
