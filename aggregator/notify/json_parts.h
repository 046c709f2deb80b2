// The parts that stored alerts and notifications share, as JSON.
#pragma once

#include "aggregator/notify/notification.h"
#include "common/json/fields.h"

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::notify {

using json_fields::integer_at;
using json_fields::labels_at;
using json_fields::parse_object;
using json_fields::text_at;
using json_fields::texts_at;
using json_fields::to_json;

boost::json::array to_json(const std::vector<Evidence>& evidence);
/// JSON has no NaN and no infinity: a number as text.
std::string number_text(double value);

double number_at(const boost::json::object& from, std::string_view key);
std::vector<Evidence> evidence_at(const boost::json::object& from, std::string_view key);

}  // namespace vigil::notify
