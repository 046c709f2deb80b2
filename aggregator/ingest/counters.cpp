#include "aggregator/ingest/counters.h"

#include "aggregator/ingest/session.h"

namespace vigil::aggregator {

IngestCounters::IngestCounters(self::Registry& registry)
    : streams(registry.counter("vigil_aggregator_streams_total", "Agent streams accepted.")),
      batches(registry.counter("vigil_aggregator_batches_total", "Batches received and stored.")),
      repeated_batches(
          registry.counter("vigil_aggregator_repeated_batches_total", "Batches received again and dropped.")),
      rows(registry.counter("vigil_aggregator_rows_total", "Rows received and stored.")),
      samples(registry.counter("vigil_aggregator_samples_total",
                               "Cells received and stored, absent ones included.")),
      agent_samples(
          registry.counter("vigil_aggregator_agent_samples_total", "Of these cells, those agents sent.")),
      rows_too_old(registry.counter("vigil_aggregator_rows_refused_total", "Rows refused for their time.",
                                    {{"reason", "too_old"}})),
      rows_in_future(registry.counter("vigil_aggregator_rows_refused_total", "Rows refused for their time.",
                                      {{"reason", "future"}})),
      backfilled_rows(registry.counter("vigil_aggregator_backfilled_rows_total",
                                       "Rows that came late, as back-fill, and were stored.")),
      bytes(registry.counter("vigil_aggregator_received_bytes_total", "Bytes of agents' messages.")),
      schemas(registry.counter("vigil_aggregator_schemas_total", "Schemas received.")),
      lost_batches(registry.counter("vigil_aggregator_lost_batches_total",
                                    "Batches agents had to drop, as they declared.")),
      lost_acknowledged_batches(registry.counter(
          "vigil_aggregator_lost_acknowledged_batches_total",
          "Batches acknowledged once that are not here: an older copy of the data was restored.")),
      duplicates(registry.counter("vigil_aggregator_duplicate_streams_total",
                                  "Streams refused because their name was live.")),
      stalls(registry.counter("vigil_aggregator_journal_stalls_total",
                              "Batches that had to wait for room in the journal.")),
      throttled(registry.counter("vigil_aggregator_throttled_total",
                                 "Times a stream was slowed down for sending too much.")),
      ack_seconds(registry.histogram("vigil_aggregator_durable_seconds",
                                     "From a batch's arrival to its durability.")) {
  for (int code = 0; code < v1::Refusal::Code_ARRAYSIZE; ++code) {
    const auto name = to_string(static_cast<v1::Refusal::Code>(code));
    refused_[static_cast<std::size_t>(code)] = &registry.counter(
        "vigil_aggregator_refused_total", "Streams refused.", {{"reason", std::string(name)}});
  }
}

void IngestCounters::count_refusal(v1::Refusal::Code code) {
  const auto at = static_cast<std::size_t>(code);
  (at < refused_.size() ? refused_[at] : refused_[0])->add();
}

}  // namespace vigil::aggregator
