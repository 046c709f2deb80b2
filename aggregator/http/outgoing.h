// What answers tell every client besides what was asked.
#pragma once

#include "aggregator/access/gatekeeper.h"
#include "aggregator/http/message.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::aggregator::http {

/// "Sun, 29 Nov 2026 07:00:41 GMT" (RFC 9110, 5.6.7)
std::string http_date();

/// What every answer tells a browser, unless it says otherwise itself.
std::vector<std::pair<const char*, const char*>> safety_headers(std::string_view path);

/// What whom the gatekeeper does not let in is told.
Response refusal_of(const access::Verdict& verdict);

}  // namespace vigil::aggregator::http
