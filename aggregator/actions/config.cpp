#include "aggregator/actions/config.h"

#include "aggregator/notify/requests.h"
#include "aggregator/promql/parser.h"
#include "aggregator/rules/template.h"
#include "common/config/redact.h"
#include "common/process/program.h"

#include <algorithm>
#include <set>

namespace vigil::actions {
namespace {

constexpr std::chrono::milliseconds kLongestRun = std::chrono::hours(1);
constexpr std::chrono::milliseconds kLongestTime = std::chrono::hours(24 * 7);
constexpr std::size_t kLongestName = 128;

bool is_plain_name(std::string_view name) {
  constexpr std::string_view kSigns = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= kLongestName &&
         name.find_first_not_of(kSigns) == std::string_view::npos;
}

constexpr std::string_view kPlainName = "must be 1 to 128 letters, digits, dots, dashes or underscores";

Result<void> check_one(const ActionConfig& action) {
  const int kinds =
      (action.command.empty() ? 0 : 1) + (action.webhook ? 1 : 0) + (action.agent.empty() ? 0 : 1);
  if (kinds != 1)
    return action.at.wrong("", fmt::format("action {}: give one of command, webhook and agent", action.name));
  if (!action.command.empty()) {
    if (const auto fault = fault_of_program(action.command.front()); !fault.empty())
      return action.at.wrong("command[0]", fmt::format("{} {}", action.command.front(), fault));
  }
  if (action.webhook) {
    if (const auto fine = notify::check_url(action.webhook->url); !fine)
      return action.at.wrong("webhook.url", fine.error().message);
    if (const auto headers = notify::webhook_headers(*action.webhook, action.at); !headers)
      return headers.error();
  }
  if (const auto text = rules::Template::parse(action.effect); !text)
    return action.at.wrong("effect", "template: " + text.error().message);
  const bool is_plain = action.effect.find("{{") == std::string::npos;  // one that can be looked at now
  if (const auto parsed = promql::parse(action.effect); !action.effect.empty() && is_plain && !parsed)
    return action.at.wrong("effect", parsed.error().message);
  return {};
}

}  // namespace

void describe(config::Fields& fields, ActionConfig& action) {
  fields.required("name", action.name, "Name of the action, once: rules and people run it by that.");
  fields.field("command", action.command,
               "A program of the aggregator's host: its absolute path, and its arguments.");
  fields.field("webhook", action.webhook, "Any program that takes JSON over HTTP.");
  fields.field("agent", action.agent,
               "A name in the list of actions of the alert's host, which its agent runs.");
  fields.field("timeout", action.timeout,
               "How long a run may take; of an agent's action how long its answer is waited for.");
  fields.field("cooldown", action.cooldown, "From the begin of a run for a host to the next one for it.");
  fields.field("max_per_hour", action.max_per_hour, "Runs within an hour, of all hosts; 0: any number.");
  fields.field("concurrency", action.concurrency, "Runs at the same time; others wait.");
  fields.field("approval", action.approval, "Whether somebody must let each run begin.");
  fields.field("approve_within", action.approve_within, "How long a run waits for that.");
  fields.field("dry_run", action.dry_run, "Whether runs are only noted.");
  fields.field(
      "effect", action.effect,
      "PromQL whose value is looked at before and after; empty: what the rule compares. A template.");
  fields.field("effect_after", action.effect_after, "How long after its end it is looked at.");
  fields.require("name", is_plain_name(action.name), kPlainName);
  fields.require("agent", is_plain_name(action.agent), kPlainName);
  fields.require("timeout", action.timeout.count() > 0 && action.timeout <= kLongestRun,
                 "must be more than 0 and at most 1h");
  fields.require("concurrency", action.concurrency >= 1 && action.concurrency <= 100, "must be 1 to 100");
  for (const auto& [key, time] : {std::pair{"cooldown", action.cooldown},
                                  {"approve_within", action.approve_within},
                                  {"effect_after", action.effect_after}})
    fields.require(key, time.count() >= 0 && time <= kLongestTime, "must be at most 1w");
  const auto has_nul = [](const std::string& word) { return word.find('\0') != std::string::npos; };
  fields.require("command", std::none_of(action.command.begin(), action.command.end(), has_nul),
                 "must not have NUL");
}

std::string_view kind_of(const ActionConfig& action) {
  if (action.webhook) return "webhook";
  return action.agent.empty() ? "command" : "agent";
}

std::string summary_of(const ActionConfig& action) {
  if (action.webhook) return config::bare_url(action.webhook->url);
  return action.agent.empty() ? action.command.front() : action.agent;
}

Result<void> check(const std::vector<ActionConfig>& actions) {
  config::Problems problems;
  std::set<std::string> names;
  for (const ActionConfig& action : actions) {
    if (!names.insert(action.name).second) {
      problems.add(action.at.wrong(
          "name", fmt::format("there are two actions called {}; give each a name of its own", action.name)));
    }
    problems.add(check_one(action));
  }
  return problems.result();
}

}  // namespace vigil::actions
