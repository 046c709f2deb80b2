// What ingest counts of itself.
#pragma once

#include "aggregator/self/registry.h"
#include "vigil/v1/ingest.pb.h"

#include <array>

namespace vigil::aggregator {

struct IngestCounters {
  explicit IngestCounters(self::Registry& registry);
  void count_refusal(v1::Refusal::Code code);

  self::Counter& streams;           // that said a proper Hello
  self::Counter& batches;           // stored
  self::Counter& repeated_batches;  // dropped: stored before
  self::Counter& rows;
  self::Counter& samples;
  self::Counter& agent_samples;  // of these, by agents: the rest was pushed or computed
  self::Counter& rows_too_old;
  self::Counter& rows_in_future;
  self::Counter& backfilled_rows;  // of these, late ones
  self::Counter& bytes;
  self::Counter& schemas;
  self::Counter& lost_batches;  // declared by agents
  self::Counter& lost_acknowledged_batches;
  self::Counter& duplicates;
  self::Counter& stalls;         // a batch had to wait for room in the journal
  self::Counter& throttled;      // a stream was read more slowly because it sent too much
  self::Histogram& ack_seconds;  // from a batch's arrival at its shard to its durability

 private:
  std::array<self::Counter*, v1::Refusal::Code_ARRAYSIZE> refused_{};
};

}  // namespace vigil::aggregator
