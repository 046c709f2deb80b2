#include "aggregator/ingest/intake.h"

#include "aggregator/ingest/append.h"
#include "aggregator/ingest/payload.h"
#include "aggregator/store/history.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kArenaBytes = std::size_t{256} << 10;
constexpr std::size_t kMaxUnacknowledged = 4096;  // only for the latency histogram
constexpr std::int64_t kNudgeMs = 2000;  // how long an acknowledgement that does not come may hold up reading
constexpr std::int64_t kSayWaitMs = 10'000;  // agents give a silent aggregator 30 s
constexpr std::uint32_t kLimitRetryMs = 60'000;
constexpr double kBurstSeconds = 16;
// What a row that begins a block costs of the rate: a clock that jumps back and forth in each row would make
// each a block of its own.
constexpr double kBytesPerBlock = 16 << 10;

google::protobuf::ArenaOptions arena_options(std::vector<char>& block) {
  google::protobuf::ArenaOptions options;
  options.initial_block = block.data();
  options.initial_block_size = block.size();
  return options;
}

}  // namespace

Intake::Intake(Shard& shard, IngestCounters& counters, const IntakeOptions& options, const Pace& pace)
    : shard_(shard),
      counters_(counters),
      options_(options),
      pace_(pace),
      arena_block_(kArenaBytes),
      arena_(arena_options(arena_block_)) {}

Intake::Stream* Intake::find(const AgentLink* link) {
  const auto at = streams_.find(link);
  return at == streams_.end() ? nullptr : at->second.get();
}

void Intake::feed(const AgentLink* link, std::string wire, std::int64_t now_ms) {
  Stream* stream = find(link);
  if (stream == nullptr) return;  // refused meanwhile
  if (stream->late() && !stream->credit->take(wire.size()))
    return end(
        *stream,
        {v1::Refusal::CODE_LIMIT,
         fmt::format("back-fill beyond its credit of {} bytes", stream->credit->granted()), kLimitRetryMs},
        now_ms);
  stream->waiting.push_back(std::move(wire));
  drain(*stream, now_ms);
}

bool Intake::within_rate(Stream& stream, std::size_t bytes, std::int64_t now_ms) {
  const auto rate = static_cast<double>(options_.bytes_per_second);
  Allowance& allowance = allowance_of(stream);
  if (allowance.left({rate, kBurstSeconds * rate}, now_ms) < 0) return false;
  allowance.spend(static_cast<double>(bytes));
  return true;
}

void Intake::drain(Stream& stream, std::int64_t now_ms) {
  if (stream.stalled) {
    Unstored again = std::move(*stream.stalled);
    stream.stalled.reset();
    stream.message_bytes = again.bytes;
    if (const auto refused = store(stream, std::move(again), now_ms)) return end(stream, *refused, now_ms);
    if (!stream.stalled) stream.link->taken(!stream.unacknowledged.empty());
  }
  while (!stream.waiting.empty() && !stream.stalled) {
    if (!within_rate(stream, stream.waiting.front().size(), now_ms)) {
      counters_.throttled.add();
      break;
    }
    const std::string wire = std::move(stream.waiting.front());
    stream.waiting.erase(stream.waiting.begin());
    if (const auto refused = process(stream, wire, now_ms)) return end(stream, *refused, now_ms);
    if (!stream.stalled) stream.link->taken(!stream.unacknowledged.empty());
  }
  if (stream.stalled || !stream.waiting.empty()) ++blocked_;
}

void Intake::resume(std::int64_t now_ms) {
  if (now_ms - nudged_ms_ >= kNudgeMs || now_ms < nudged_ms_) {
    nudged_ms_ = now_ms;
    for (const auto& [link, stream] : streams_) {
      if (stream->stalled || !stream->unacknowledged.empty()) keep_waiting(*stream, now_ms);
    }
  }
  grant_credit(now_ms);
  if (blocked_ == 0) return;
  blocked_ = 0;
  std::vector<Stream*> waiting;
  for (const auto& [link, stream] : streams_) {
    if (stream->stalled || !stream->waiting.empty()) waiting.push_back(stream.get());
  }
  for (Stream* stream : waiting) {
    // Its rows are here: that we cannot store them is not its absence.
    if (!stream->late()) stream->host->facts.last_rows_ms = now_ms;
    drain(*stream, now_ms);
  }
}

/// The disk does not take what the agent sent. That it hears of us, if nothing new, keeps it from connecting
/// again and again.
void Intake::keep_waiting(Stream& stream, std::int64_t now_ms) {
  if (!stream.stalled) stream.link->nudge();
  if (now_ms - stream.acked_ms < kSayWaitMs) return;
  stream.acked_ms = now_ms;
  stream.link->acknowledge({.durable_seq = stream.host->use(stream.id).durable_seq});
}

void Intake::grant_credit(std::int64_t now_ms) {
  const double share = pace_.backfill.share();
  for (const auto& [host, stream] : late_by_host_) {
    if (const auto credit = stream->credit->grant(share, now_ms))
      stream->link->acknowledge(
          {.durable_seq = stream->host->use(stream->id).durable_seq, .backfill_credit = *credit});
  }
}

std::optional<Refused> Intake::process(Stream& stream, const std::string& wire, std::int64_t now_ms) {
  counters_.bytes.add(wire.size());
  stream.message_bytes = wire.size();
  stream.live_ms = now_ms;
  arena_.Reset();
  auto& message = *google::protobuf::Arena::CreateMessage<v1::AgentMessage>(&arena_);
  if (!message.ParseFromString(wire))
    return Refused{v1::Refusal::CODE_PROTOCOL, "these bytes are no AgentMessage", 0};
  const SessionEvent event = stream.session.feed(message);
  return apply(stream, event, payload(message, wire), now_ms);
}

Result<void> Intake::request(const std::string& host, const v1::ActionRequest& action) {
  const auto found = std::find_if(by_host_.begin(), by_host_.end(), [&host](const auto& entry) {
    return entry.second->host->record.name == host;
  });
  if (found == by_host_.end()) return fail(Errc::unavailable, "the agent of {} is not connected", host);
  found->second->link->request(action);
  return {};
}

std::optional<Refused> Intake::apply(Stream& stream, const SessionEvent& event, std::string payload,
                                     std::int64_t now_ms) {
  if (const auto* refused = std::get_if<Refused>(&event)) return *refused;
  const HostId host = stream.host->record.id;
  if (const auto* batch = std::get_if<NewBatch>(&event)) {
    if (batch->lost) store_lost(stream, *batch->lost, now_ms);
    return store(stream,
                 {{host, stream.id, batch->seq, EntryKind::batch, 0, std::move(payload)},
                  *batch,
                  stream.message_bytes},
                 now_ms);
  }
  if (stream.late()) stream.credit->settle(stream.message_bytes);  // only batches have to become durable
  if (const auto* schema = std::get_if<NewSchema>(&event)) {
    counters_.schemas.add();
    const std::uint32_t source = schema->schema->source_id;
    return store(stream,
                 {{host, stream.id, schema->next_seq, EntryKind::schema, source, std::move(payload)},
                  {},
                  stream.message_bytes},
                 now_ms);
  }
  if (const auto* lost = std::get_if<Lost>(&event)) store_lost(stream, *lost, now_ms);
  const auto* answer = std::get_if<Answer>(&event);
  if (answer != nullptr && !stream.late() && options_.on_answer)
    options_.on_answer(stream.host->record.name, answer->result);
  if (const auto* farewell = std::get_if<Farewell>(&event)) {
    stream.said_bye = true;
    if (stream.late()) {
      stream.host->end_lane(kLateLane);
      return std::nullopt;
    }
    log::info("ingest", "agent said goodbye",
              {{"host", stream.host->record.name}, {"reason", farewell->reason}});
    shard_.farewell(*stream.host, now_ms);
  }
  return std::nullopt;
}

// What was stored before goes to the journal all the same: a replay has to begin with this stream's keyframe.
std::optional<Refused> Intake::store(Stream& stream, Unstored unstored, std::int64_t now_ms) {
  if (unstored.batch && unstored.batch->storing != Storing::drop) {
    const RowTarget target{shard_, *stream.host, stream.lane()};
    const auto admitted = admit_columns(target, unstored.batch->sources, now_ms);
    if (!admitted) return Refused{v1::Refusal::CODE_LIMIT, admitted.error().message, kLimitRetryMs};
  }
  History* history = shard_.history();
  if (history != nullptr && !history->journal(unstored.entry)) {
    counters_.stalls.add();
    stream.stalled = std::move(unstored);
    return std::nullopt;
  }
  return unstored.batch ? stored(stream, *unstored.batch, now_ms) : std::nullopt;
}

std::optional<Refused> Intake::stored(Stream& stream, const NewBatch& batch, std::int64_t now_ms) {
  StreamProgress& progress = stream.host->use(stream.id);
  if (batch.keyframe) progress.keyframe_seq = batch.seq;
  progress.stored_seq = std::max(progress.stored_seq, batch.seq);
  if (stream.unacknowledged.size() < kMaxUnacknowledged)
    stream.unacknowledged.push_back({batch.seq, now_ms, stream.message_bytes});
  if (shard_.history() == nullptr) {
    const DurableBatch done{stream.host->record.id, stream.id, batch.seq};
    durable({&done, 1}, now_ms);
  }
  if (batch.storing == Storing::drop) {
    counters_.repeated_batches.add();
    return std::nullopt;
  }
  const auto appended = append_rows({shard_, *stream.host, stream.lane()}, batch.sources, now_ms);
  if (!appended) return Refused{v1::Refusal::CODE_LIMIT, appended.error().message, kLimitRetryMs};
  counters_.batches.add();
  counters_.rows.add(appended->rows);
  counters_.samples.add(appended->samples);
  counters_.agent_samples.add(appended->samples);
  counters_.rows_too_old.add(appended->too_old);
  counters_.rows_in_future.add(appended->in_future);
  allowance_of(stream).spend(kBytesPerBlock * static_cast<double>(appended->blocks));
  const std::uint64_t refused = appended->too_old + appended->in_future;
  if (stream.late()) {
    counters_.backfilled_rows.add(appended->rows);
    if (refused > 0) tell_refused(*stream.host, now_ms);
    return std::nullopt;
  }
  note_refused(*stream.host, refused, now_ms);
  store_gap(*stream.host, stream.host->gaps.flush(now_ms));
  if (appended->arrival.sent_ms != 0) shard_.rows_arrived(*stream.host, appended->arrival, now_ms);
  return std::nullopt;
}

void Intake::durable(std::span<const DurableBatch> batches, std::int64_t now_ms) {
  for (const DurableBatch& batch : batches) {
    Host* host = shard_.find(batch.host);
    StreamProgress* progress = host == nullptr ? nullptr : host->find(batch.stream);
    if (progress == nullptr) continue;
    progress->durable_seq = std::max(progress->durable_seq, batch.seq);
    Stream* stream = open_stream(batch.host, batch.stream);
    if (stream == nullptr) continue;
    auto& waiting = stream->unacknowledged;
    const auto still =
        std::ranges::find_if(waiting, [&batch](const Unacknowledged& one) { return one.seq > batch.seq; });
    for (auto done = waiting.begin(); done != still; ++done) {
      counters_.ack_seconds.observe(
          static_cast<double>(std::max<std::int64_t>(now_ms - done->arrived_ms, 0)) / 1000);
      if (stream->late()) stream->credit->settle(done->bytes);
    }
    waiting.erase(waiting.begin(), still);
    acknowledge(*stream, progress->durable_seq, now_ms);
  }
}

Intake::Stream* Intake::open_stream(HostId host, const StreamId& id) {
  for (const ByHost* streams : {&by_host_, &late_by_host_}) {
    const auto at = streams->find(host);
    if (at != streams->end() && at->second->id == id) return at->second;
  }
  return nullptr;
}

void Intake::acknowledge(Stream& stream, std::uint64_t durable_seq, std::int64_t now_ms) {
  stream.acked_ms = now_ms;
  if (stream.late()) {
    const auto credit = stream.credit->grant(pace_.backfill.share(), now_ms);
    return stream.link->acknowledge({.durable_seq = durable_seq, .backfill_credit = credit.value_or(0)});
  }
  Host& host = *stream.host;
  const std::uint32_t delivery_ms = std::max(pace_.delivery_interval_ms.load(), host.record.interval_ms);
  const bool changed = delivery_ms != stream.told_delivery_ms;
  stream.told_delivery_ms = host.delivery_interval_ms = delivery_ms;
  host.facts.beat_ms = std::max<std::int64_t>(host.record.interval_ms, delivery_ms);
  stream.link->acknowledge({.durable_seq = durable_seq, .delivery_interval_ms = changed ? delivery_ms : 0});
}

}  // namespace vigil::aggregator
