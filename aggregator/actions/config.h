// The `actions:` part of the aggregator's configuration: what may be done about alerts.
//
//   actions:
//     - {name: restart-nginx, agent: restart-nginx, cooldown: 10m, max_per_hour: 4}
//     - {name: scale-up, command: [/usr/local/bin/scale, up], approval: true}
#pragma once

#include "aggregator/notify/config.h"
#include "common/config/fields.h"
#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::actions {

/// One of command, webhook and agent.
struct ActionConfig {
  std::string name;
  std::vector<std::string> command;              // on the aggregator's host
  std::optional<notify::WebhookConfig> webhook;  // is sent the run as JSON
  std::string agent;                             // a name in the list of the alert's host
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
  std::chrono::milliseconds cooldown = std::chrono::minutes(5);
  std::uint32_t max_per_hour = 6;
  std::uint32_t concurrency = 1;
  bool approval = false;
  std::chrono::milliseconds approve_within = std::chrono::hours(1);
  bool dry_run = false;
  std::string effect;  // PromQL with templates; "": what the rule compares
  std::chrono::milliseconds effect_after = std::chrono::minutes(5);
  config::Place at;  // for messages
};
void describe(config::Fields& fields, ActionConfig& action);

/// "command", "webhook", "agent"
std::string_view kind_of(const ActionConfig& action);
/// The program without its arguments and the address without its path, which may be secret; or the name in
/// the agent's list.
std::string summary_of(const ActionConfig& action);

/// What describe() cannot see by itself: names unique, programs there, secret files readable. One error a
/// line, with its place.
Result<void> check(const std::vector<ActionConfig>& actions);

}  // namespace vigil::actions
