// What the parts behind the ports take of the configuration. Pure, but for the number of cores.
#pragma once

#include "aggregator/config.h"
#include "aggregator/head/shard.h"
#include "aggregator/serve/query_engine.h"
#include "aggregator/store/history.h"

namespace vigil::aggregator {

/// As configured; else half the cores, from 1 to 8.
std::size_t shard_count(const IngestConfig& ingest);
ShardOptions shard_options(const AggregatorConfig& config);
HistoryOptions history_options(const AggregatorConfig& config);
QueryLimits query_limits(const QueryConfig& query);

}  // namespace vigil::aggregator
