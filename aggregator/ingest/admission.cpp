// Which streams an Intake takes, and how they begin and end.
#include "aggregator/ingest/intake.h"
#include "common/log/log.h"

#include <algorithm>
#include <utility>

namespace vigil::aggregator {
namespace {

constexpr std::uint32_t kDuplicateRetryMs = 5000;
constexpr std::uint32_t kBackfillRetryMs = 10'000;

HostRecord record_of(const Greeting& greeting) {
  HostRecord record;
  record.name = greeting.name;
  record.machine_id = greeting.machine_id;
  record.boot_id = greeting.boot_id;
  record.agent_version = greeting.agent_version;
  record.labels = greeting.labels;
  record.interval_ms = greeting.interval_ms;
  return record;
}

Refused replaced() {
  return {v1::Refusal::CODE_UNAVAILABLE, "replaced by a new connection", 0};
}

}  // namespace

// One name, one live stream. The same agent coming back over a new connection takes over from its old one,
// which may be half open for a while; anybody else has to wait until the old one has been silent. What a slow
// network delivers after its agent came back on another connection tells itself by what is stored meanwhile.
std::optional<Refused> Intake::admit(const Greeting& greeting, const AgentLink& link, std::int64_t now_ms) {
  Host* host = shard_.find(greeting.name);
  if (host == nullptr) return std::nullopt;
  const bool same_machine = host->record.machine_id == greeting.machine_id;
  if (const auto live = by_host_.find(host->record.id); live != by_host_.end()) {
    Stream& old = *live->second;
    const bool same_agent = (old.id == greeting.stream || old.id == greeting.follows) && same_machine &&
                            host->record.boot_id == greeting.boot_id;
    const bool silent = now_ms - old.live_ms > std::max<std::int64_t>(3 * host->facts.beat_ms, 5000);
    if (!same_agent && !silent && !old.said_bye) return duplicate(*host, greeting, link, now_ms);
    const bool stale = old.id == greeting.stream && greeting.next_seq <= host->find(old.id)->stored_seq;
    if (stale && !silent)
      return Refused{v1::Refusal::CODE_UNAVAILABLE, "this stream went on over a newer connection", 0};
    end(old, replaced(), now_ms);
  }
  // A stream is live or over, and the back-fill of another machine is not this one's.
  if (const auto late = late_by_host_.find(host->record.id); late != late_by_host_.end()) {
    if (!same_machine || late->second->id == greeting.stream) end(*late->second, replaced(), now_ms);
  }
  return std::nullopt;
}

Refused Intake::duplicate(Host& host, const Greeting& greeting, const AgentLink& link, std::int64_t now_ms) {
  const bool known = !host.duplicate_remote.empty();  // it has been trying for a while
  const std::string& live = by_host_.at(host.record.id)->link->remote();
  host.duplicate_ms = now_ms;
  ++host.duplicates;
  host.duplicate_remote = link.remote();
  counters_.duplicates.add();
  log::write(known ? log::Level::debug : log::Level::warn, "ingest",
             "two agents claim one name; the second is refused",
             {{"host", greeting.name},
              {"live", live},
              {"refused", link.remote()},
              {"machine", host.record.machine_id == greeting.machine_id ? "same" : "another"}});
  return {v1::Refusal::CODE_DUPLICATE,
          fmt::format("an agent named {} is connected from {}: give one of them another name", greeting.name,
                      live),
          kDuplicateRetryMs};
}

/// Back-fill, beside the live stream of the same machine.
std::optional<Refused> Intake::admit_late(const Greeting& greeting, const AgentLink& link,
                                          std::int64_t now_ms) {
  Host* host = shard_.find(greeting.name);
  if (host == nullptr) return std::nullopt;
  if (const auto live = by_host_.find(host->record.id); live != by_host_.end()) {
    if (host->record.machine_id != greeting.machine_id) return duplicate(*host, greeting, link, now_ms);
    if (live->second->id == greeting.stream)
      return Refused{v1::Refusal::CODE_UNAVAILABLE, "this stream is live: it has not ended",
                     kBackfillRetryMs};
  }
  const auto late = late_by_host_.find(host->record.id);
  if (late == late_by_host_.end()) return std::nullopt;
  Stream& old = *late->second;
  const bool waits_for_us = old.id != greeting.stream && !old.said_bye && now_ms - old.live_ms <= 5000;
  if (waits_for_us)
    return Refused{v1::Refusal::CODE_UNAVAILABLE, "this host sends another stream of back-fill",
                   kBackfillRetryMs};
  end(old, replaced(), now_ms);
  return std::nullopt;
}

/// Back-fill changes nothing of what is known of a host.
Result<Host*> Intake::host_of(const Greeting& greeting, std::int64_t now_ms) {
  Host* known = greeting.ended ? shard_.find(greeting.name) : nullptr;
  if (known != nullptr) return known;
  return shard_.enroll(record_of(greeting), now_ms);
}

void Intake::open(const Greeting& greeting, std::shared_ptr<AgentLink> link, std::int64_t now_ms) {
  const auto refuse = [&](const Refused& refused) {
    counters_.count_refusal(refused.code);
    link->refuse(refused);
  };
  const auto refused = greeting.ended ? admit_late(greeting, *link, now_ms) : admit(greeting, *link, now_ms);
  if (refused) return refuse(*refused);
  auto host = host_of(greeting, now_ms);
  if (!host &&
      host.error().code == Errc::limit)  // told and counted; the agent's own back-off spreads a fleet
    return refuse({v1::Refusal::CODE_FULL, host.error().message, 0});
  if (!host) {
    log::error("ingest", "cannot enroll", {{"host", greeting.name}, {"error", host.error()}});
    return refuse({v1::Refusal::CODE_UNAVAILABLE, host.error().message, 10'000});
  }
  if (greeting.ended && !pace_.backfill.enter())
    return refuse(
        {v1::Refusal::CODE_UNAVAILABLE, "enough agents send back-fill already: later", kBackfillRetryMs});
  begin(**host, greeting, std::move(link), now_ms);
}

/// The place of the stream among its host's.
StreamProgress& Intake::progress_of(Host& host, const Greeting& greeting, std::int64_t now_ms) {
  StreamProgress& progress = host.use(greeting.stream);
  progress.open = true;
  if (!greeting.ended) {
    if (std::exchange(progress.late, false)) shard_.seal(host, now_ms);
    return progress;
  }
  // What it sent while it was live is sealed with the host, what comes now by itself.
  if (!progress.late && progress.keyframe_seq != 0) shard_.seal(host, now_ms);
  progress.late = true;
  if (host.late_stream && *host.late_stream != greeting.stream) host.end_lane(kLateLane);
  host.late_stream = greeting.stream;
  return progress;
}

Intake::Stream& Intake::add(Host& host, const Greeting& greeting, std::shared_ptr<AgentLink> link,
                            std::int64_t now_ms) {
  const StreamProgress& progress = progress_of(host, greeting, now_ms);
  auto made = std::unique_ptr<Stream>(
      new Stream{.link = std::move(link),
                 .host = &host,
                 .id = greeting.stream,
                 .session = Session(greeting, progress.stored_seq, shard_.options().max_series),
                 .waiting = {},
                 .stalled = {},
                 .unacknowledged = {},
                 .credit = {}});
  Stream& stream = *made;
  streams_[stream.link.get()] = std::move(made);
  if (greeting.ended) stream.credit.emplace(now_ms);
  streams_of(stream)[host.record.id] = &stream;
  stream.live_ms = stream.acked_ms = now_ms;
  stream.once_durable_seq = greeting.durable_seq;
  counters_.streams.add();
  log::info("ingest", greeting.ended ? "back-fill begins" : "agent connected",
            {{"host", greeting.name},
             {"remote", stream.link->remote()},
             {"version", greeting.agent_version},
             {"durable", progress.durable_seq}});
  return stream;
}

void Intake::begin(Host& host, const Greeting& greeting, std::shared_ptr<AgentLink> link,
                   std::int64_t now_ms) {
  Stream& stream = add(host, greeting, std::move(link), now_ms);
  const std::uint32_t delivery_ms = std::max(pace_.delivery_interval_ms.load(), greeting.interval_ms);
  if (!stream.late()) {
    stream.told_delivery_ms = delivery_ms;
    host.connected = true;
    host.remote = stream.link->remote();
    host.delivery_interval_ms = delivery_ms;
    host.facts.beat_ms = std::max<std::int64_t>(greeting.interval_ms, delivery_ms);
    host.skew.observe(greeting.wall_time_ms, now_ms);
  }
  const SessionEvent first = stream.session.begin();
  if (const auto refused = apply(stream, first, {}, now_ms)) return end(stream, *refused, now_ms);
  v1::Welcome welcome;
  welcome.set_durable_seq(host.find(stream.id)->durable_seq);
  welcome.set_delivery_interval_ms(delivery_ms);
  welcome.set_max_series(static_cast<std::uint32_t>(shard_.options().max_series));
  welcome.set_max_message_bytes(options_.max_message_bytes);
  welcome.set_wall_time_ms(now_ms);
  if (stream.late())
    welcome.set_backfill_credit(stream.credit->grant(pace_.backfill.share(), now_ms).value_or(0));
  stream.link->welcome(welcome);
}

void Intake::end(Stream& stream, const Refused& refused, std::int64_t now_ms) {
  counters_.count_refusal(refused.code);
  log::warn("ingest", "stream ended",
            {{"host", stream.host->record.name},
             {"remote", stream.link->remote()},
             {"reason", to_string(refused.code)},
             {"message", refused.message}});
  if (refused.code == v1::Refusal::CODE_LIMIT) {
    stream.host->refusal = refused.message;
    stream.host->refusal_ms = now_ms;
  }
  const std::shared_ptr<AgentLink> link = stream.link;
  link->refuse(refused);
  forget(stream, now_ms);
}

void Intake::closed(const AgentLink* link, std::int64_t now_ms) {
  Stream* stream = find(link);
  if (stream == nullptr) return;
  log::info("ingest", stream->late() ? "back-fill over" : "agent disconnected",
            {{"host", stream->host->record.name}, {"remote", stream->link->remote()}});
  forget(*stream, now_ms);
}

void Intake::forget(Stream& stream, std::int64_t now_ms) {
  Host& host = *stream.host;
  if (StreamProgress* progress = host.find(stream.id)) progress->open = false;
  ByHost& streams = streams_of(stream);
  if (const auto at = streams.find(host.record.id); at != streams.end() && at->second == &stream) {
    streams.erase(at);
    if (!stream.late()) {
      host.connected = false;
      store_refused(host, now_ms);
      store_gap(host, host.gaps.leave(now_ms));
    }
  }
  if (stream.late()) pace_.backfill.leave();
  streams_.erase(stream.link.get());
}

}  // namespace vigil::aggregator
