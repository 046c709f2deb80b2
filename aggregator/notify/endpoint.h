// A receiver made ready: secrets read, addresses checked, and how to make a request of a shipment.
#pragma once

#include "aggregator/notify/config.h"
#include "aggregator/notify/lane.h"
#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::notify {

enum class Protocol : std::uint8_t { http, smtp, command };

struct Request;

/// What a service answered over HTTP.
struct Answer {
  std::string_view body;            // as far as it was read
  std::int64_t retry_after_ms = 0;  // as the service asks; 0: it does not say
};

/// What an answer means.
struct Verdict {
  std::optional<Failure> failure;
  std::unique_ptr<Request> next;  // the message is delivered only once this is answered, too; null: it is
  std::optional<ThreadChange> thread;  // where delivered: what is to be remembered
};

/// Everything a transfer needs. Values are free of CR, LF and NUL where those would change their meaning.
struct Request {
  Protocol protocol = Protocol::http;
  std::string url;
  bool is_get = false;               // HTTP only: GET without a body instead of POST
  std::vector<std::string> headers;  // "Name: value"; HTTP only
  std::string body;
  /// Of an answer with status 2xx, where that does not say it all; HTTP only. Empty: it does.
  std::function<Verdict(const Answer& answer)> judge;
  // A command only; its standard input is the body:
  std::vector<std::string> command;      // an absolute path, and arguments
  std::vector<std::string> environment;  // "NAME=value", all of it
  // SMTP only:
  std::string from;
  std::vector<std::string> to;
  std::string hello;  // what the server is greeted with; "": the host's name
  StartTls starttls = StartTls::required;
  // HTTP and SMTP:
  std::string username;
  std::string password;
  std::string ca_file;  // instead of the system's certificates
  std::string cert_file;
  std::string key_file;
  // All:
  std::vector<std::string> secrets;      // that are in the body: an answer that repeats them is shown without
  std::chrono::milliseconds timeout{0};  // 0: as all
  /// Why it does not say what the configuration wants, where the message itself does not tell; "": it does.
  std::string fault;
};

struct Endpoint {
  std::string name;
  std::string_view kind;      // "slack", "email", "webhook", ...
  bool takes_groups = false;  // of alertmanager.yml: told of groups by name, and not asked what it wants
  Severity min_severity = Severity::info;
  bool send_resolved = true;
  std::chrono::milliseconds after{};  // told only of what has fired so long unacknowledged
  /// What its service takes: so many messages at once, then one every so often. 0: whatever comes.
  int burst = 0;
  std::chrono::milliseconds every{1'000};
  std::function<Request(const Shipment& shipment, std::int64_t now_ms)> render;
};

/// Errc::invalid_argument: "vigil.yml:5:9: notifications.receivers[0].slack.webhook_url: ...".
Result<Endpoint> make_endpoint(const ReceiverConfig& config);

}  // namespace vigil::notify
