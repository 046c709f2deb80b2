// Kinds of channels that Alertmanager does not have, as a receiver's further keys: ntfy_configs, sms_configs,
// command_configs, alertmanager_configs. Alertmanager itself refuses a file with them.
#pragma once

#include "aggregator/routing/http_client.h"
#include "aggregator/routing/secret.h"
#include "common/config/fields.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::routing {

struct NtfyChannel {
  bool send_resolved = true;
  std::string url = "https://ntfy.sh";
  Secret topic;  // whoever knows it reads and writes there, on a server without accounts
  Secret token;  // instead of what http_config says of authorization
  std::optional<std::string> title, message, priority, click;
  std::vector<std::string> tags;  // empty: one, by how bad it is
  std::optional<HttpClient> http;
  config::Place at;
};
void describe(config::Fields& fields, NtfyChannel& ntfy);

enum class SmsMethod : std::uint8_t { post, get };
enum class SmsFormat : std::uint8_t { form, json };

/// A gateway that takes fields over HTTP. Each number of `to` is a channel of its own.
struct SmsChannel {
  bool send_resolved = true;
  Secret url;
  SmsMethod method = SmsMethod::post;
  SmsFormat format = SmsFormat::form;
  std::vector<std::string> to;
  std::string from;
  std::optional<std::string> text;
  std::uint32_t max_length = 320;             // characters, as phones count them: UTF-16 units
  std::map<std::string, std::string> fields;  // name to template; empty: to, from, text
  std::optional<HttpClient> http;
  config::Place at;
};
void describe(config::Fields& fields, SmsChannel& sms);

struct CommandChannel {
  bool send_resolved = true;
  std::vector<std::string> command;  // the program's absolute path, then its arguments
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
  config::Place at;
};
void describe(config::Fields& fields, CommandChannel& command);

/// Another Alertmanager, which is told of alerts as Prometheus would.
struct AlertmanagerChannel {
  bool send_resolved = true;
  Secret url;
  std::chrono::milliseconds valid_for = std::chrono::hours(24);
  std::optional<HttpClient> http;
  config::Place at;
};
void describe(config::Fields& fields, AlertmanagerChannel& alertmanager);

}  // namespace vigil::routing
