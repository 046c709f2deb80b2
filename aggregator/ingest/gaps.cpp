// Time of which an Intake knows that samples are missing: what agents declare, and what had to be refused.
#include "aggregator/ingest/intake.h"
#include "aggregator/store/history.h"
#include "common/log/log.h"

#include <algorithm>
#include <utility>

namespace vigil::aggregator {
namespace {

constexpr std::int64_t kStoreRefusedMs = 60'000;  // an end of the process loses no more of an episode
constexpr AllowanceRate kTellRefused{1.0 / 600, 1};

}  // namespace

void Intake::store_lost(Stream& stream, const Lost& lost, std::int64_t now_ms) {
  Host& host = *stream.host;
  // What had been acknowledged was durable here. A host that is new here was acknowledged by somebody else.
  const bool ours =
      lost.last_seq != 0 && lost.last_seq <= stream.once_durable_seq && host.last_sample_ms != 0;
  (ours ? counters_.lost_acknowledged_batches : counters_.lost_batches).add(lost.batches);
  (ours ? host.lost_batches : host.gap_batches) += lost.batches;
  // Not told when: since the newest row we have; before the first one there is no gap, but nothing at all.
  // What is late and of no known time lies somewhere before its end.
  const std::int64_t latest_ms = now_ms + shard_.options().future_ms;  // as for rows
  const std::int64_t since_ms = stream.late() ? lost.last_ms : host.last_sample_ms;
  const std::int64_t first_ms = std::min(lost.first_ms != 0 ? lost.first_ms : since_ms, latest_ms);
  const std::int64_t last_ms =
      std::max(std::min(lost.last_ms != 0 ? lost.last_ms : now_ms, latest_ms), first_ms);
  const bool timed = shard_.history() != nullptr && first_ms != 0;
  std::optional<GapRecord> due;
  if (timed) due = host.gaps.put({host.record.id, first_ms, last_ms, lost.reason}, now_ms);
  const bool told = timed ? due.has_value() : host.gaps.may_tell(now_ms);
  if (!told) return;
  store_gap(host, std::move(due));
  log::write(ours ? log::Level::error : log::Level::warn, "ingest",
             ours ? "batches that had been acknowledged are not here: was an older copy of the data restored?"
                  : "the agent has no more what was not stored",
             {{"host", host.record.name},
              {"first", lost.first_seq},
              {"last", lost.last_seq},
              {"batches", lost.batches},
              {"reason", lost.reason}});
}

/// Rows whose times nobody can use (the agent's clock, or ours, is far off): acknowledged, for sending them
/// again would not help, and declared.
void Intake::note_refused(Host& host, std::uint64_t rows, std::int64_t now_ms) {
  RefusedTime& refused = host.refused;
  if (rows == 0) return store_refused(host, now_ms);
  if (refused.first_ms == 0) {
    refused.first_ms = refused.last_ms = now_ms;
    tell_refused(host, now_ms);
  }
  refused.last_ms = std::max(refused.last_ms, now_ms);
  if (refused.last_ms - refused.first_ms < kStoreRefusedMs) return;
  store_refused(host, now_ms);
  refused.first_ms = refused.last_ms;
}

/// Once in a while.
void Intake::tell_refused(Host& host, std::int64_t now_ms) {
  if (!host.refused.telling.take(kTellRefused, now_ms)) return;
  log::warn("ingest", "rows are refused: their times are too far from ours, is a clock wrong?",
            {{"host", host.record.name}, {"clock_skew_seconds", host.skew.seconds()}});
}

void Intake::store_refused(Host& host, std::int64_t now_ms) {
  RefusedTime& refused = host.refused;
  if (refused.first_ms != 0)
    store_gap(host, host.gaps.put({host.record.id, refused.first_ms, refused.last_ms, "clock"}, now_ms));
  refused.first_ms = 0;
}

void Intake::store_gap(const Host& host, std::optional<GapRecord> gap) {
  History* history = shard_.history();
  if (history == nullptr || !gap) return;
  if (auto put = history->put_gap(std::move(*gap)); !put)
    log::error("store", "cannot store a gap", {{"host", host.record.name}, {"error", put.error()}});
}

}  // namespace vigil::aggregator
