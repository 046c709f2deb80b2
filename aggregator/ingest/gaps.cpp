// Time of which an Intake knows that samples are missing: what agents declare, and what had to be refused.
#include "aggregator/ingest/intake.h"
#include "aggregator/store/history.h"
#include "common/log/log.h"

#include <algorithm>
#include <utility>

namespace vigil::aggregator {
namespace {

constexpr double kGapsAnHour = 200;               // of one host; as many at once
constexpr double kAllowanceMs = 3'600'000;        // an hour
constexpr std::int64_t kStoreRefusedMs = 60'000;  // an end of the process loses no more of an episode
constexpr std::int64_t kTellRefusedMs = 600'000;
constexpr std::int64_t kLeaveGapMs = 600'000;

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
  const bool told = timed ? put_gap(host, {host.record.id, first_ms, last_ms, lost.reason}, now_ms)
                          : spend_gap(host, now_ms);
  if (!told) return;
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
  std::int64_t& told_ms = host.refused.told_ms;
  if (told_ms != 0 && now_ms - told_ms < kTellRefusedMs) return;
  told_ms = now_ms;
  log::warn("ingest", "rows are refused: their times are too far from ours, is a clock wrong?",
            {{"host", host.record.name}, {"clock_skew_seconds", host.skew.seconds()}});
}

void Intake::store_refused(Host& host, std::int64_t now_ms) {
  RefusedTime& refused = host.refused;
  if (refused.first_ms != 0)
    (void)put_gap(host, {host.record.id, refused.first_ms, refused.last_ms, "clock"}, now_ms);
  refused.first_ms = 0;
}

/// Whether another gap of the host is to be told; a person reads a few an hour.
bool Intake::spend_gap(Host& host, std::int64_t now_ms) {
  const auto elapsed_ms = static_cast<double>(std::max<std::int64_t>(now_ms - host.gaps_allowed_at_ms, 0));
  host.gaps_allowed = std::min(kGapsAnHour, host.gaps_allowed + elapsed_ms * kGapsAnHour / kAllowanceMs);
  host.gaps_allowed_at_ms = now_ms;
  if (host.gaps_allowed < 1) return false;
  --host.gaps_allowed;
  return true;
}

/// False: the host declares more than anybody would read; what is beyond goes into one that is stored later.
bool Intake::put_gap(Host& host, GapRecord gap, std::int64_t now_ms) {
  if (host.gap_to_come) {
    gap.first_ms = std::min(gap.first_ms, host.gap_to_come->first_ms);
    gap.last_ms = std::max(gap.last_ms, host.gap_to_come->last_ms);
    host.gap_to_come.reset();
  }
  const bool allowed = spend_gap(host, now_ms);
  if (allowed) {
    store_gap(host, std::move(gap));
  } else {
    host.gap_to_come = std::move(gap);
  }
  return allowed;
}

/// What was put together is stored as soon as it may be.
void Intake::flush_gap(Host& host, std::int64_t now_ms) {
  if (host.gap_to_come) (void)put_gap(host, *std::exchange(host.gap_to_come, std::nullopt), now_ms);
}

/// The agent goes, perhaps for good, or we do: it is stored now, though not for each of many connections.
void Intake::leave_gap(Host& host, std::int64_t now_ms) {
  flush_gap(host, now_ms);
  if (!host.gap_to_come || now_ms - host.gap_flushed_ms < kLeaveGapMs) return;
  host.gap_flushed_ms = now_ms;
  store_gap(host, *std::exchange(host.gap_to_come, std::nullopt));
}

void Intake::store_gap(Host& host, GapRecord gap) {
  History* history = shard_.history();
  if (history == nullptr) return;
  if (auto put = history->put_gap(std::move(gap)); !put)
    log::error("store", "cannot store a gap", {{"host", host.record.name}, {"error", put.error()}});
}

}  // namespace vigil::aggregator
