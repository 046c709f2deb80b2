// A receiver made ready: secrets read, addresses checked, and how to make a request of a shipment.
#pragma once

#include "aggregator/notify/config.h"
#include "aggregator/notify/lane.h"
#include "common/error.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::notify {

enum class Protocol : std::uint8_t { http, smtp };

/// Everything a transfer needs. Values are free of CR, LF and NUL where those would change their meaning.
struct Request {
  Protocol protocol = Protocol::http;
  std::string url;
  std::vector<std::string> headers;  // "Name: value"; HTTP only
  std::string body;
  // SMTP only:
  std::string from;
  std::vector<std::string> to;
  std::string username;
  std::string password;
  StartTls starttls = StartTls::required;
  std::string ca_file;
};

struct Endpoint {
  std::string name;
  std::string_view kind;  // "slack", "email" or "webhook"
  Severity min_severity = Severity::info;
  bool send_resolved = true;
  int burst = 0;  // Slack takes one message a second, and some at once
  std::function<Request(const Shipment& shipment, std::int64_t now_ms)> render;
};

/// Errc::invalid_argument: "vigil.yml:5:9: notifications.receivers[0].slack.webhook_url: ...".
Result<Endpoint> make_endpoint(const ReceiverConfig& config);

}  // namespace vigil::notify
