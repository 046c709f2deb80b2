#include "aggregator/parts.h"

#include "common/patient_clock.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace vigil::aggregator {
namespace {

TierKeep keep_of(const TierConfig& tier) {
  return {std::chrono::duration_cast<std::chrono::hours>(tier.retention), tier.max_size.count};
}

}  // namespace

std::size_t shard_count(const IngestConfig& ingest) {
  if (ingest.shards != 0) return ingest.shards;
  return std::clamp<std::size_t>(std::thread::hardware_concurrency() / 2, 1, 8);
}

ShardOptions shard_options(const AggregatorConfig& config) {
  ShardOptions options;
  options.head = {config.store.slot.count(), config.store.window.count()};
  options.down_after_ms = config.ingest.down_after.count();
  options.retention_ms = config.store.raw.retention.count();
  options.max_series = config.ingest.max_series;
  options.max_known_series = config.ingest.max_known_series;
  options.enrol = {config.ingest.max_hosts, config.ingest.max_new_hosts, config.ingest.max_total_series,
                   config.remote_write.max_hosts};
  return options;
}

HistoryOptions history_options(const AggregatorConfig& config) {
  HistoryOptions options;
  options.directory = data_directory(config);
  options.now_ms = patient_wall_ms;
  options.commit_interval = config.store.commit_interval;
  options.keep = {keep_of(config.store.raw), keep_of(config.store.minute), keep_of(config.store.hour)};
  options.brief = config.store.brief;
  return options;
}

QueryLimits query_limits(const QueryConfig& query) {
  QueryLimits limits;
  limits.threads = query.threads;
  limits.timeout = query.timeout;
  limits.max_samples = static_cast<std::size_t>(query.max_samples);
  limits.max_steps = query.max_steps;
  limits.waiting = query.max_waiting;
  limits.max_expression_bytes = query.max_expression.count;
  limits.max_regex_bytes = query.max_regex.count;
  return limits;
}

}  // namespace vigil::aggregator
