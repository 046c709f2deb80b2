#include "aggregator/status.h"

#include "aggregator/self/process.h"
#include "common/text/human.h"
#include "common/version.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

namespace vigil::aggregator {
namespace {

using self::Kind;
using Samples = self::Registry::Samples;

void add_tier_metrics(self::Registry& registry, const History& history) {
  const auto add = [&](const char* name, const char* help, auto field) {
    registry.collect_many(Kind::gauge, name, help, [&history, field] {
      Samples samples;
      const HistoryStats stats = history.stats();
      for (const Tier tier : kTiers) {
        samples.emplace_back(Labels{{"tier", std::string(to_string(tier))}},
                             static_cast<double>(stats.tiers.at(static_cast<std::size_t>(tier)).*field));
      }
      return samples;
    });
  };
  add("vigil_store_tier_files", "Files of a tier.", &TierStats::files);
  add("vigil_store_tier_bytes", "Size of a tier on disk.", &TierStats::disk_bytes);
  add("vigil_store_tier_samples", "Values in a tier's blocks.", &TierStats::samples);
}

void add_store_metrics(self::Registry& registry, const History& history) {
  const auto add = [&](Kind kind, const char* name, const char* help, auto field) {
    registry.collect(kind, name, help,
                     [&history, field] { return static_cast<double>(history.stats().*field); });
  };
  add(Kind::gauge, "vigil_store_disk_bytes", "Size of the history on disk.", &HistoryStats::disk_bytes);
  add_tier_metrics(registry, history);
  add(Kind::gauge, "vigil_store_blocks", "Sealed blocks.", &HistoryStats::blocks);
  add(Kind::gauge, "vigil_store_samples", "Values in sealed blocks.", &HistoryStats::samples);
  add(Kind::gauge, "vigil_store_bytes_per_sample", "Bytes of the files of samples per value.",
      &HistoryStats::bytes_per_sample);
  add(Kind::gauge, "vigil_store_journal_bytes", "Size of the journal.", &HistoryStats::journal_bytes);
  add(Kind::gauge, "vigil_store_queued_bytes", "Received, but not yet committed.",
      &HistoryStats::queued_bytes);
  add(Kind::counter, "vigil_store_commits_total", "Transactions committed.", &HistoryStats::commits);
  add(Kind::counter, "vigil_store_commit_failures_total", "Transactions that failed.",
      &HistoryStats::commit_failures);
  add(Kind::gauge, "vigil_store_commit_seconds", "Duration of the latest commit.",
      &HistoryStats::commit_seconds_last);
  add(Kind::gauge, "vigil_store_commit_seconds_max", "Longest commit since start.",
      &HistoryStats::commit_seconds_max);
  add(Kind::counter, "vigil_store_refused_entries_total", "Journal entries that had to wait.",
      &HistoryStats::refused_entries);
  add(Kind::counter, "vigil_store_damaged_blocks_total", "Blocks found damaged.",
      &HistoryStats::damaged_blocks);
  add(Kind::counter, "vigil_store_retired_blocks_total", "Blocks removed by retention.",
      &HistoryStats::retired_blocks);
  add(Kind::counter, "vigil_store_too_old_blocks_total", "Blocks that came after their day was removed.",
      &HistoryStats::too_old_blocks);
  add(Kind::gauge, "vigil_store_damaged_files", "Files that could not be read at start.",
      &HistoryStats::damaged_files);
  add(Kind::gauge, "vigil_store_missing_files", "Files that somebody had removed, found at start.",
      &HistoryStats::missing_files);
  add(Kind::gauge, "vigil_store_damaged_logs", "Write-ahead logs that were damaged at start.",
      &HistoryStats::damaged_logs);
  add(Kind::gauge, "vigil_store_damaged_groups", "Groups of the journal that were damaged at start.",
      &HistoryStats::damaged_groups);
  add(Kind::gauge, "vigil_store_lost_names",
      "Hosts and series that files held and the index did not know, at start.", &HistoryStats::lost_names);
  add(Kind::counter, "vigil_store_checkpoints_total", "Checkpoints of the write-ahead log.",
      &HistoryStats::checkpoints);
  registry.collect(Kind::gauge, "vigil_store_healthy", "1 while received samples become durable.",
                   [&history] { return history.health().state == HistoryState::ok ? 1.0 : 0.0; });
}

/// Of the file system that holds the data.
void add_disk_metrics(self::Registry& registry, const std::string& folder) {
  const auto add = [&](const char* name, const char* help,
                       std::uintmax_t std::filesystem::space_info::*field) {
    registry.collect(Kind::gauge, name, help, [folder, field] {
      std::error_code error;
      const auto space = std::filesystem::space(folder, error);
      return error ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(space.*field);
    });
  };
  add("vigil_store_disk_free_bytes", "What is free where the data is, for who runs the aggregator.",
      &std::filesystem::space_info::available);
  add("vigil_store_disk_size_bytes", "Size of the file system where the data is.",
      &std::filesystem::space_info::capacity);
}

/// Sums over the rules in force: they begin anew at a reload.
void add_rule_metrics(self::Registry& registry, const alerts::Alerting& alerting) {
  const auto add = [&](Kind kind, const char* name, const char* help, auto take) {
    registry.collect(kind, name, help, [&alerting, take] {
      double value = 0;
      const rules::RuleSetPtr set = alerting.rule_set();  // a reload may replace it meanwhile
      for (const rules::RulePtr& rule : set->rules()) take(value, *rule->stats);
      return value;
    });
  };
  using Stats = rules::RuleStats;
  add(Kind::gauge, "vigil_rules", "Rules in force.", [](double& value, const Stats&) { ++value; });
  add(Kind::counter, "vigil_rules_evaluations_total",
      "Evaluations of the rules in force, of each host by itself.",
      [](double& value, const Stats& stats) { value += static_cast<double>(stats.evaluations.load()); });
  add(Kind::counter, "vigil_rules_evaluation_failures_total", "Evaluations that failed.",
      [](double& value, const Stats& stats) { value += static_cast<double>(stats.failures.load()); });
  add(Kind::gauge, "vigil_rules_failing", "Rules whose latest evaluation failed.",
      [](double& value, const Stats& stats) { value += stats.last_error().empty() ? 0 : 1; });
  add(Kind::gauge, "vigil_rules_slowest_evaluation_seconds",
      "How long the slowest of the latest evaluations took.", [](double& value, const Stats& stats) {
        value = std::max(value, static_cast<double>(stats.last_duration_ns.load()) / 1e9);
      });
}

void add_alert_metrics(self::Registry& registry, const alerts::Alerting& alerting) {
  const auto add = [&](Kind kind, const char* name, const char* help, auto field) {
    registry.collect(kind, name, help,
                     [&alerting, field] { return static_cast<double>(alerting.counters().*field); });
  };
  add(Kind::counter, "vigil_alerts_evaluations_total", "Rule evaluations with something to say.",
      &alerts::Counters::evaluations);
  add(Kind::counter, "vigil_alerts_transitions_total", "Changes of an alert's state.",
      &alerts::Counters::transitions);
  add(Kind::counter, "vigil_alerts_notifications_total", "Messages put into the outbox.",
      &alerts::Counters::notifications);
  add(Kind::counter, "vigil_alerts_inhibited_total", "Messages held back by another alert.",
      &alerts::Counters::inhibited);
  add(Kind::counter, "vigil_alerts_silenced_total", "Messages held back by a silence.",
      &alerts::Counters::silenced);
  add(Kind::counter, "vigil_alerts_commit_failures_total", "Transactions of alert states that failed.",
      &alerts::Counters::commit_failures);
  add(Kind::counter, "vigil_alerts_superseded_total", "Evaluations replaced by newer ones while they waited.",
      &alerts::Counters::superseded);
  add(Kind::counter, "vigil_alerts_missed_evaluations_total",
      "Rounds of rules over the whole fleet left out because an earlier one took too long.",
      &alerts::Counters::missed);
  registry.collect_many(Kind::gauge, "vigil_alerts_active", "Alerts by state.", [&alerting] {
    const alerts::Counters counters = alerting.counters();
    return Samples{{{{"state", "pending"}}, static_cast<double>(counters.pending)},
                   {{{"state", "firing"}}, static_cast<double>(counters.firing)}};
  });
}

void add_action_metrics(self::Registry& registry, const alerts::Alerting& alerting) {
  registry.collect_many(
      Kind::gauge, "vigil_action_runs", "Runs of actions that are kept, by action and what became of them.",
      [&alerting] {
        Samples samples;
        for (const auto& [action, figures] : alerting.run_figures()) {
          for (const auto& [state, count] : {std::pair{"succeeded", figures.succeeded},
                                             {"failed", figures.failed},
                                             {"skipped", figures.skipped},
                                             {"needs_approval", figures.needing_approval}})
            samples.push_back({{{"action", action}, {"state", state}}, static_cast<double>(count)});
        }
        return samples;
      });
}

void add_receiver_metrics(self::Registry& registry, const alerts::Alerting& alerting) {
  const auto add = [&](Kind kind, const char* name, const char* help, auto field) {
    registry.collect_many(kind, name, help, [&alerting, field] {
      Samples samples;
      for (const notify::ReceiverStats& receiver : alerting.receivers()) {
        samples.emplace_back(Labels{{"kind", receiver.kind}, {"receiver", receiver.receiver}},
                             static_cast<double>(receiver.*field));
      }
      return samples;
    });
  };
  add(Kind::counter, "vigil_notifications_delivered_total", "Messages receivers accepted.",
      &notify::ReceiverStats::delivered);
  add(Kind::counter, "vigil_notifications_failures_total", "Attempts to deliver that failed.",
      &notify::ReceiverStats::failures);
  add(Kind::counter, "vigil_notifications_dead_total", "Messages given up.", &notify::ReceiverStats::dead);
  add(Kind::gauge, "vigil_notifications_waiting", "Messages waiting for their receiver.",
      &notify::ReceiverStats::queued);
}

void add_heartbeat_metrics(self::Registry& registry, const notify::Heartbeat& heartbeat) {
  const auto add = [&](const char* name, const char* help, std::uint64_t notify::HeartbeatStats::*count) {
    registry.collect(Kind::counter, name, help,
                     [&heartbeat, count] { return static_cast<double>(heartbeat.stats().*count); });
  };
  add("vigil_heartbeats_sent_total", "Signs of life that were answered.", &notify::HeartbeatStats::sent);
  add("vigil_heartbeats_failures_total", "Signs of life that were not.", &notify::HeartbeatStats::failures);
  registry.collect(Kind::gauge, "vigil_heartbeat_failing", "Whether the latest sign of life went unheard.",
                   [&heartbeat] { return heartbeat.stats().last_error.empty() ? 0.0 : 1.0; });
  add("vigil_heartbeats_held_total", "Signs of life left out, since alerting did not get on.",
      &notify::HeartbeatStats::held);
}

}  // namespace

void StatusReporter::add_metrics(self::Registry& registry) {
  self::add_process_metrics(registry);
  add_store_metrics(registry, sources_.history);
  add_disk_metrics(registry, sources_.data_directory);
  add_rule_metrics(registry, sources_.alerting);
  add_alert_metrics(registry, sources_.alerting);
  add_action_metrics(registry, sources_.alerting);
  add_receiver_metrics(registry, sources_.alerting);
  if (sources_.heartbeat != nullptr) add_heartbeat_metrics(registry, *sources_.heartbeat);
  registry.collect(Kind::gauge, "vigil_aggregator_streams", "Agent streams open now.",
                   [this] { return static_cast<double>(sources_.ingest.streams()); });
  registry.collect(Kind::gauge, "vigil_aggregator_delivery_interval_seconds",
                   "How often agents are asked to deliver.",
                   [this] { return sources_.ingest.delivery_interval_ms() / 1000.0; });
  registry.collect(Kind::gauge, "vigil_aggregator_ingest_load_ratio",
                   "What receiving and storing takes of what it may: beyond 1 agents deliver less often.",
                   [this] { return sources_.ingest.load(); });
  registry.collect(Kind::gauge, "vigil_aggregator_backfill_streams",
                   "Streams open now that deliver what an outage left.",
                   [this] { return static_cast<double>(sources_.ingest.backfill().streams()); });
  registry.collect(Kind::gauge, "vigil_aggregator_backfill_limit_bytes_per_second",
                   "What all back-fill together may send.",
                   [this] { return static_cast<double>(sources_.ingest.backfill().bytes_per_second()); });
  registry.collect(Kind::gauge, "vigil_aggregator_hosts", "Hosts known, connected or not.",
                   [this] { return static_cast<double>(sources_.shards.directory().hosts()); });
  registry.collect(Kind::counter, "vigil_aggregator_machine_changes_total",
                   "Times another machine took the name of a host.", [this] {
                     std::uint64_t changes = 0;
                     for (std::size_t i = 0; i < sources_.shards.size(); ++i)
                       changes += sources_.shards.at(i).machine_changes();
                     return static_cast<double>(changes);
                   });
  registry.collect_many(Kind::gauge, "vigil_aggregator_busy_seconds",
                        "How long a thread has been busy with one thing.", [this] {
                          Samples samples;
                          const auto now = std::chrono::steady_clock::now();
                          for (const Worker* worker : sources_.watchdog.workers())
                            samples.emplace_back(
                                Labels{{"thread", worker->name()}},
                                std::chrono::duration<double>(worker->busy_for(now)).count());
                          return samples;
                        });
  for (std::size_t i = 0; i < sources_.shards.size(); ++i) {
    Worker& worker = sources_.shards.at(i).worker();
    const Labels shard{{"shard", std::to_string(i)}};
    registry.collect(
        Kind::gauge, "vigil_aggregator_queue_tasks", "Work waiting at a shard.",
        [&worker] { return static_cast<double>(worker.depth()); }, shard);
    registry.collect(
        Kind::counter, "vigil_aggregator_queue_refused_total", "Work a full shard refused.",
        [&worker] { return static_cast<double>(worker.refused()); }, shard);
  }
  registry.collect(Kind::gauge, "vigil_build_info", "Version of this program.", [] { return 1.0; },
                   {{"version", std::string(kVersion)}});
}

std::string reload_problem(std::string_view error) {
  const auto more = static_cast<std::uint64_t>(std::count(error.begin(), error.end(), '\n'));
  return fmt::format(
      "the last reload was refused: {}{}; the configuration and the rules before it are in force",
      error.substr(0, error.find('\n')),
      more == 0 ? "" : fmt::format(" (and {}, in the log)", counted(more, "error more", "errors more")));
}

void StatusReporter::Rate::beat(std::uint64_t count, std::int64_t elapsed_ms) {
  constexpr double kWeight = 0.2;  // of the latest second: an average over about five
  if (elapsed_ms > 0) {
    const double rate = static_cast<double>(count - last) * 1000 / static_cast<double>(elapsed_ms);
    const double before = per_second;
    per_second = before == 0 ? rate : before + kWeight * (rate - before);
  }
  last = count;
}

void StatusReporter::beat(std::int64_t now_ms) {
  const std::int64_t elapsed_ms = last_ms_ == 0 ? 0 : now_ms - last_ms_;
  samples_.beat(sources_.counters.samples.value(), elapsed_ms);
  agent_samples_.beat(sources_.counters.agent_samples.value(), elapsed_ms);
  last_ms_ = now_ms;
}

void StatusReporter::describe(v1::Status& status) const {
  const HistoryStats stats = sources_.history.stats();
  status.set_version(std::string(kVersion));
  status.set_started_ms(sources_.started_ms);
  status.set_samples_per_second(samples_.per_second);
  status.set_samples_stored(stats.samples);
  status.set_disk_bytes(stats.disk_bytes);
  // A young store is mostly empty pages: divided by few samples that would be an alarming number.
  constexpr std::uint64_t kEnoughSamples = 1'000'000;
  status.set_bytes_per_sample(stats.samples >= kEnoughSamples ? stats.bytes_per_sample : 0);
  status.set_oldest_sample_ms(stats.oldest_ms);
  status.set_store_state(std::string(to_string(stats.health.state)));
  status.set_store_message(stats.health.message);
  status.set_cpu_seconds(self::cpu_seconds());
  status.set_delivery_interval_ms(sources_.ingest.delivery_interval_ms());
  status.set_ingest_load_ratio(sources_.ingest.load());
  status.set_backfill_streams(sources_.ingest.backfill().streams());
  status.set_resident_bytes(static_cast<std::uint64_t>(self::resident_bytes()));
  status.set_data_directory(sources_.data_directory);
  if (stats.health.state != HistoryState::ok) status.add_problems("store: " + stats.health.message);
  for (const std::string& complaint : sources_.watchdog.complaints(std::chrono::steady_clock::now()))
    status.add_problems(complaint);
  if (stats.damaged_blocks > 0)
    status.add_problems(
        "store: " + counted(stats.damaged_blocks, "damaged block was found", "damaged blocks were found"));
  if (stats.damaged_files > 0)
    status.add_problems(fmt::format("store: {} set aside: see vigil db check",
                                    counted(stats.damaged_files, "damaged file was", "damaged files were")));
  if (stats.missing_files > 0)
    status.add_problems(
        fmt::format("store: {}: vigil db check names what is missing; restore a backup to have it back",
                    counted(stats.missing_files, "file is missing, somebody removed it",
                            "files are missing, somebody removed them")));
  if (stats.lost_names > 0)
    status.add_problems(
        fmt::format("store: history.db lacked {} that files hold: it, or its log, was damaged, removed or "
                    "replaced by an older copy; restore a backup to have their names back",
                    counted(stats.lost_names, "host or series", "hosts or series")));
  if (stats.damaged_logs > 0)
    status.add_problems(
        fmt::format("store: {} damaged: see the log",
                    counted(stats.damaged_logs, "write-ahead log was", "write-ahead logs were")));
  if (stats.damaged_groups > 0)
    status.add_problems(fmt::format(
        "store: {} damaged: samples of the last minutes before the start are lost; look at the disk and the "
        "memory",
        counted(stats.damaged_groups, "group of the journal was", "groups of the journal were")));
  if (sources_.heartbeat != nullptr) {
    if (const std::string error = sources_.heartbeat->stats().last_error; !error.empty())
      status.add_problems("heartbeat: " + error);
  }
  if (const std::string& loss = sources_.alerting.loss(); !loss.empty())
    status.add_problems("alerts: " + loss);
  actions::RunQuery waiting;
  waiting.waiting = true;
  status.set_actions_waiting(static_cast<std::uint32_t>(sources_.alerting.service().runs(waiting).size()));
  for (const notify::ReceiverStats& receiver : sources_.alerting.receivers()) {
    status.set_notifications_waiting(status.notifications_waiting() + receiver.queued);
    status.set_notifications_failed(status.notifications_failed() + receiver.dead);
    if (!receiver.last_error.empty()) {
      status.add_problems(
          fmt::format("receiver {} ({}): {}", receiver.receiver, receiver.kind, receiver.last_error));
    }
  }
}

}  // namespace vigil::aggregator
