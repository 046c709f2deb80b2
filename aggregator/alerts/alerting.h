// Rules, alerts and notifications as one thing the wiring starts and stops.
//
//   auto alerting = Alerting::open(options, readers);
//   each shard:  rules::HostRules rules = (*alerting)->make_host_rules();
//   start()   notifier, alert service, fleet rules
//   stop()    fleet rules, actions, notifier, alert service: their last words are noted in meta.db
// Threads of its own: "fleet-rules", "alerts", "notify", and "action" for each run that lasts.
#pragma once

#include "aggregator/actions/executor.h"
#include "aggregator/alerts/alert_service.h"
#include "aggregator/notify/config.h"
#include "aggregator/notify/notifier.h"
#include "aggregator/rules/fleet_rules.h"
#include "aggregator/rules/host_rules.h"
#include "common/threads/worker.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace vigil::alerts {

struct AlertingOptions {
  std::string meta_path;  // of meta.db; its folder exists
  rules::RulesConfig rules;
  notify::NotificationsConfig notifications;
  std::vector<actions::ActionConfig> actions;
  std::string external_url;                   // of the dashboard; "" for no links
  bool ran_before = false;                    // see AlertServiceOptions
  std::chrono::milliseconds hosts_return{0};  // the same
};

/// Everything that can be wrong with rules and notifications, without side effects. Otherwise the warnings:
/// what was accepted but is probably not meant.
Result<std::vector<std::string>> check(const AlertingOptions& options);

/// Views of the whole fleet, called on the threads of Alerting, between start() and stop(). Each bounds how
/// long it waits in all.
struct FleetReaders {
  rules::FleetRules::OpenStorage for_rules;     // one for the rules of an interval
  rules::FleetRules::OpenStorage for_evidence;  // one for an alert that fires
};

class Alerting {
 public:
  /// `records` takes what recording rules and alerts give as series; it outlives this, and may be empty.
  static Result<std::unique_ptr<Alerting>> open(const AlertingOptions& options, FleetReaders readers,
                                                rules::RecordSink records = {});
  virtual ~Alerting() = default;

  /// One for each shard, to live no longer than this.
  virtual rules::HostRules make_host_rules() = 0;

  /// How agents are asked for actions; before start(). What they answer comes by action_answered().
  using AskAgent = std::function<void(const actions::AgentOrder& order,
                                      std::function<void(const std::string& why)> refused)>;
  virtual void set_ask_agent(AskAgent ask_agent) = 0;
  /// Any thread.
  virtual void action_answered(const std::string& host, const std::string& run, actions::Outcome outcome) = 0;

  virtual void start() = 0;
  virtual void stop() = 0;

  /// Its own threads, for whoever watches over them.
  virtual std::vector<const Worker*> workers() const = 0;

  /// Any thread. New rules and actions, and alertmanager.yml is read again; with errors all stays as it was.
  /// Other notifications change at restart only. Without an error `adopted` is called, on a thread of its
  /// own, once everything shows what is new; not after stop().
  virtual Result<void> reload(const rules::RulesConfig& rules, std::vector<actions::ActionConfig> actions,
                              std::function<void()> adopted) = 0;
  virtual void forget_host(std::string instance) = 0;

  /// What other services ask; lives as long as this.
  virtual AlertService& service() = 0;
  virtual const AlertService& service() const = 0;
  virtual const std::string& loss() const = 0;  // see AlertService
  virtual std::vector<AlertInfo> alerts() const = 0;
  virtual std::vector<RuleInfo> rules() const = 0;
  virtual rules::RuleSetPtr rule_set() const = 0;
  /// What was accepted but is probably not meant.
  virtual std::vector<std::string> warnings() const = 0;
  virtual Counters counters() const = 0;
  virtual std::map<std::string, actions::RunFigures> run_figures() const = 0;
  virtual std::vector<notify::ReceiverStats> receivers() const = 0;
  /// See Notifier::test().
  virtual Result<std::vector<notify::TestAnswer>> test_receiver(
      const std::string& receiver, const std::function<bool()>& is_cancelled) = 0;
};

}  // namespace vigil::alerts
