// Reading the configuration again: who asked for it, what it changed, and what waits for a restart.
//
//   SIGHUP, `vigil reload` and POST /-/reload all end in Aggregator::reload(), on the thread of run(), one
//   after the other. A file with an error changes nothing.
#pragma once

#include "aggregator/api/sources.h"
#include "aggregator/flags.h"
#include "aggregator/rules/rule_set.h"
#include "aggregator/self/registry.h"
#include "aggregator/serve/reload_report.h"
#include "common/config/changes.h"
#include "vigil/v1/fleet.pb.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace vigil::aggregator {

/// "2 rules added: HighCpu, HostDown"; one line each for what is new, gone and other than before.
std::vector<std::string> rule_changes(const rules::RuleSet& before, const rules::RuleSet& after);

/// Files with secrets by the key that names them: their path, and a digest of what is in them.
using SecretFiles = std::map<std::string, std::pair<std::string, std::string>>;

/// What the configuration in force is, to compare a newer one with. Used by one thread, that of run().
class ConfigInForce {
 public:
  explicit ConfigInForce(const AggregatorConfig& at_start);
  /// Keys, the file of routes and files with secrets; rules are compared by rule_changes().
  /// Contents of secret files among them: those that a reload reads again, and those that only a start reads.
  ReloadReport compare(const AggregatorConfig& next);
  /// `next` was taken.
  void adopt(const AggregatorConfig& next);
  /// Keys that wait for a restart since the latest adopt().
  std::size_t waiting() const { return waiting_; }

 private:
  config::InForce settings_;
  const std::string routes_path_;  // notifications.alertmanager_file: a reload reads this file again
  std::string routes_;             // its text
  SecretFiles read_again_;         // by actions and routes, at the latest reload
  SecretFiles read_at_start_;      // by receivers, the heartbeat and the login elsewhere
  std::size_t waiting_ = 0;
};

/// Who waits for the next reload. Any thread.
class ReloadRequests {
 public:
  using Done = std::function<void(const Result<ReloadReport>&)>;
  /// `done` is called once, on any thread; at once when refuse() was called. The signal wakes run().
  void ask(Done done);
  std::vector<Done> take();
  /// The program stops: who waits, and who asks from now on, is told so.
  void refuse();

 private:
  std::mutex mutex_;  // protects the next two
  std::vector<Done> asked_;
  bool refusing_ = false;
};

/// How the latest reload ended, and the configuration in force as it is shown. Any thread.
class ReloadState {
 public:
  /// `yaml`: as it was written, secrets replaced.
  ReloadState(std::string yaml, std::int64_t started_ms);
  void taken(std::string yaml, std::vector<std::string> needs_restart, std::int64_t now_ms);
  void refused(std::string_view why);
  api::ConfigState shown() const;
  /// Adds what is wrong, and the keys that wait for a restart.
  void describe(v1::Status& status) const;

 private:
  mutable std::mutex mutex_;  // protects the rest
  api::ConfigState state_;
  std::vector<std::string> needs_restart_;  // keys, since the latest reload that was taken
};

/// Own metrics about reloads. Any thread.
class ReloadMetrics {
 public:
  ReloadMetrics(self::Registry& registry, std::int64_t started_ms);
  void taken(std::size_t waiting_for_restart, std::int64_t now_ms);
  void refused();

 private:
  self::Counter& taken_;
  self::Counter& refused_;
  self::Gauge& successful_;
  self::Gauge& success_time_;
  self::Gauge& restart_needed_;
};

}  // namespace vigil::aggregator
