// What all requests over HTTP have in common.
#pragma once

#include "aggregator/notify/config.h"
#include "aggregator/notify/lane.h"
#include "common/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::notify {

/// Slack takes one message a second, and some at once.
inline constexpr int kSlackBurst = 5;

/// Errc::invalid_argument when it is no address a message could be sent to.
Result<void> check_url(std::string_view url);

/// Errc::invalid_argument when name or value would not be one line of a header.
Result<void> check_header(std::string_view name, std::string_view value);

/// Content-Type, User-Agent, Idempotency-Key.
std::vector<std::string> common_headers(const Shipment& shipment,
                                        std::string_view content_type = "application/json");
std::vector<std::string> common_headers(std::string_view key, std::string_view content_type);

/// Those that a webhook's configuration adds, with its token read. Errc::invalid_argument at the place below
/// `at` that is wrong, such as "webhook.token_file".
Result<std::vector<std::string>> webhook_headers(const WebhookConfig& webhook, const config::Place& at);

}  // namespace vigil::notify
