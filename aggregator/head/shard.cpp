#include "aggregator/head/shard.h"

#include "aggregator/fleet/fleet_rows.h"
#include "aggregator/store/history.h"
#include "common/log/log.h"

#include <algorithm>
#include <utility>

namespace vigil::aggregator {
namespace {

constexpr std::int64_t kTickMs = 1000;
constexpr std::size_t kStreamsKept = 4;   // of a host, in case one comes back: as many as the history keeps
constexpr std::int64_t kLiveMs = 60'000;  // older rows are back-fill: no rule looks at them
constexpr std::int64_t kRefusalShownMs = 60'000;       // of an agent that is taken again
constexpr std::int64_t kRefusalForgottenMs = 900'000;  // of one that does not come back
constexpr std::int64_t kDuplicateGoneMs = 60'000;      // refused agents try again every 5 to 11 s

SealCursor cursor_of(const Host& host, const StreamProgress& stream) {
  const bool goes_on = stream.open || &stream == &host.streams.back();
  return {stream.stream, stream.stored_seq, goes_on ? stream.keyframe_seq : kNothingNeeded};
}

/// Of all streams of which anything has come since we began.
std::vector<SealCursor> cursors_of(const Host& host) {
  std::vector<SealCursor> cursors;
  for (const StreamProgress& stream : host.streams)
    if (stream.keyframe_seq != 0) cursors.push_back(cursor_of(host, stream));
  return cursors;
}

}  // namespace

Shard::Shard(const std::string& name, const ShardOptions& options, HostDirectory& directory, History* history)
    : options_(options),
      directory_(directory),
      history_(history),
      leaving_(directory, history),
      worker_(name) {}

Host* Shard::find(const std::string& name) {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : at->second;
}

Host* Shard::find(HostId id) {
  const auto at = hosts_.find(id);
  return at == hosts_.end() ? nullptr : at->second.get();
}

Host& Shard::add(HostRecord record, std::int64_t now_ms) {
  auto made = std::make_unique<Host>(std::move(record), options_.head);
  Host& host = *made;
  host.since_ms = now_ms;
  host.facts.last_rows_ms = now_ms;
  host.facts.beat_ms = std::max<std::int64_t>(host.record.interval_ms, 1);
  host.facts.down_after_ms = options_.down_after_ms;
  host.facts.left = host.record.left;
  host.state = judged(host, now_ms);
  by_name_[host.record.name] = &host;
  hosts_[host.record.id] = std::move(made);
  return host;
}

Host& Shard::restore(HostRecord record, std::int64_t now_ms) {
  Host& host = add(std::move(record), now_ms);
  if (host.record.left) {
    host.since_ms = host.record.last_seen_ms;  // a farewell is stored at once
  } else {
    host.since_earlier = true;
  }
  return host;
}

/// A replaced machine keeps its name by right, so the newcomer is taken; but two machines that take turns
/// under one name would be mixed unseen.
void Shard::note_other_machine(Host& host, std::int64_t now_ms) {
  host.machine_changed_ms = now_ms;
  machine_changes_.fetch_add(1, std::memory_order_relaxed);
  log::warn("fleet", "another machine took this name", {{"host", host.record.name}});
  const std::int64_t first_ms = host.last_sample_ms != 0 ? host.last_sample_ms : host.record.last_seen_ms;
  if (history_ == nullptr) return;
  GapRecord gap{host.record.id, std::min(first_ms, now_ms), now_ms, std::string(kMachineChanged)};
  if (auto put = history_->put_gap(std::move(gap)); !put)
    log::error("store", "cannot store a gap", {{"error", put.error()}});
}

Result<Host*> Shard::enroll(HostRecord record, std::int64_t now_ms) {
  Host* host = find(record.name);
  if (host == nullptr) {
    record.first_seen_ms = record.last_seen_ms = now_ms;
    const auto id = directory_.enroll(record, now_ms);
    if (!id) return id.error();
    record.id = *id;
    log::info("fleet", "a new host", {{"host", record.name}, {"id", *id}, {"version", record.agent_version}});
    return &add(std::move(record), now_ms);
  }
  if (host->record.machine_id != record.machine_id) note_other_machine(*host, now_ms);
  const bool relabelled = host->record.labels != record.labels;
  record.id = host->record.id;
  record.first_seen_ms = host->record.first_seen_ms;
  host->record = std::move(record);
  if (std::exchange(host->facts.left, false)) host->facts.last_rows_ms = now_ms;  // its absence was announced
  host->facts.beat_ms = std::max<std::int64_t>(host->record.interval_ms, 1);
  if (relabelled) relabel(*host);
  store_record(*host, now_ms);
  return host;
}

Result<std::size_t> Shard::forget(const std::string& name) {
  Host* host = find(name);
  if (host == nullptr) return fail(Errc::not_found, "no host is called '{}'", name);
  if (host->connected || std::ranges::any_of(host->streams, &StreamProgress::open)) {
    return fail(Errc::conflict, "{} is connected from {}: stop its agent first, or it would be back at once",
                name, host->remote);
  }
  if (host->state == HostState::up || host->state == HostState::late) {
    return fail(Errc::conflict, "{} is {}: only a host that is down or has left can be forgotten", name,
                to_string(host->state));
  }
  const std::size_t series = host->head.registry().size();
  HostRecord record = host->record;
  const HostId id = record.id;
  record.removed = true;
  if (history_ != nullptr) {
    if (auto stored = history_->forget_host(std::move(record)); !stored) return stored.error();
  }
  directory_.forget(host->record, series);
  by_name_.erase(name);
  hosts_.erase(id);
  log::info("fleet", "host forgotten", {{"host", name}, {"id", id}, {"series", series}});
  if (forgotten_) forgotten_(id, name);
  return series;
}

void Shard::store_record(Host& host, std::int64_t now_ms) {
  host.record.last_seen_ms = now_ms;
  if (history_ == nullptr) return;
  if (auto stored = history_->put_host(host.record); !stored) {
    log::error("fleet", "cannot store a host", {{"host", host.record.name}, {"error", stored.error()}});
  }
}

void Shard::relabel(Host& host) {
  log::info("fleet", "labels of a host changed",
            {{"host", host.record.name}, {"labels", host.record.labels.to_string()}});
  host.head.relabel(host.record.labels);
}

Result<void> Shard::check_known(const Host& host) const {
  const std::size_t known = host.head.registry().size();
  if (known < options_.max_known_series) return {};
  return fail(Errc::limit,
              "{} has {} series that run or have data that are kept, ingest.max_known_series: raise it, or "
              "shorten store.raw.retention, store.minute.retention and store.hour.retention, for a series "
              "that ended leaves with the last of its data",
              host.record.name, known);
}

Result<std::vector<SeriesId>> Shard::columns(Host& host, const SourceKey& source,
                                             const std::vector<SeriesSpec>& specs, std::int64_t now_ms) {
  SeriesRegistry& registry = host.head.registry();
  const auto most = static_cast<double>(options_.max_series);
  const AllowanceRate an_hour{most / 3600, most};

  std::vector<SeriesId> ids;
  std::vector<SeriesRecord> added;
  ids.reserve(specs.size());
  for (const SeriesSpec& spec : specs) {
    Labels full = registry.full_labels(source.job, spec);
    const SeriesForm form{spec.type, spec.encoding, spec.scale};
    if (const auto known = registry.find(full, form)) {
      ids.push_back(*known);
      continue;
    }
    Result<void> room = check_known(host);
    if (host.new_series.left(an_hour, now_ms) < 1) {
      room = fail(
          Errc::limit,
          "{} invents series faster than {} an hour, ingest.max_series (it has {} already): raise it in the "
          "aggregator's configuration, or have fewer collectors at the agent",
          host.record.name, options_.max_series, registry.size());
    }
    if (room) room = directory_.take_series();
    if (!room) {
      if (history_ != nullptr && !added.empty()) (void)history_->put_series(host.record.id, std::move(added));
      return room.error();
    }
    host.new_series.spend(1);
    const SeriesId id = registry.next_id();
    registry.add(id, std::move(full), form);
    added.push_back({id, source, spec});
    ids.push_back(id);
  }
  if (history_ != nullptr && !added.empty()) {
    if (auto stored = history_->put_series(host.record.id, std::move(added)); !stored) return stored.error();
  }
  return ids;
}

/// Samples came: the time since those before them is covered, unless the host was silent meanwhile.
void Shard::cover(Host& host, std::int64_t newest_ms, std::int64_t now_ms) {
  const bool goes_on = host.covered_since_ms != 0 && host.facts.presence == Presence::heard &&
                       judged(host, now_ms) == HostState::up;
  // Its clock may be set back.
  if (!goes_on || newest_ms < host.covered_since_ms) host.covered_since_ms = newest_ms;
}

void Shard::rows_arrived(Host& host, const Arrival& arrival, std::int64_t now_ms) {
  if (arrival.stored_ms != 0) cover(host, arrival.stored_ms, now_ms);
  host.facts.presence = Presence::heard;
  host.facts.last_rows_ms = now_ms;
  host.skew.observe(arrival.sent_ms, now_ms);
  // Back-fill is older; but what came from a clock that was ahead is not the newest for ever.
  if (arrival.stored_ms > host.last_sample_ms || host.last_sample_ms > now_ms + host.facts.beat_ms)
    host.last_sample_ms = std::max(arrival.stored_ms, std::int64_t{0});
  judge_host(host, now_ms);
  const bool live = arrival.stored_ms >= now_ms - std::max(kLiveMs, 3 * host.facts.beat_ms);
  if (live) look(host, std::max(arrival.stored_ms, now_ms), now_ms);
}

Result<SeriesId> Shard::push_series(Host& host, std::uint16_t source, SeriesSpec spec,
                                    std::vector<SeriesRecord>& records) {
  SeriesRegistry& registry = host.head.registry();
  if (auto room = check_known(host); !room) return room.error();
  if (auto room = directory_.take_series(); !room) return room.error();
  const SeriesId id = registry.next_id();
  registry.add(id, registry.full_labels({}, spec), {spec.type, spec.encoding, spec.scale});
  host.push(id, source);
  records.push_back({id, pushed_source(host.kind, source), std::move(spec)});
  return id;
}

void Shard::samples_pushed(Host& host, std::int64_t newest_ms, std::int64_t now_ms) {
  cover(host, newest_ms, now_ms);
  host.facts.presence = Presence::heard;
  host.facts.last_rows_ms = now_ms;
  host.last_sample_ms = std::max(host.last_sample_ms, newest_ms);
  judge_host(host, now_ms);
  if (newest_ms >= now_ms - kLiveMs) look(host, std::max(newest_ms, now_ms), now_ms);
}

HostState Shard::judged(const Host& host, std::int64_t now_ms) {
  return host.kind == HostKind::agent ? judge(host.facts, now_ms) : judge_pushed(host.facts, now_ms);
}

/// Nobody is expected to push: who stops has left.
HostState Shard::judge_pushed(const HostFacts& facts, std::int64_t now_ms) {
  return now_ms - facts.last_rows_ms <= kPushedGoneMs ? HostState::up : HostState::left;
}

void Shard::farewell(Host& host, std::int64_t now_ms) {
  host.facts.left = true;
  host.record.left = true;
  host.head.end_series(kFleetSource + 1);
  host.forget_schemas(kLiveLane);  // back-fill may go on
  judge_host(host, now_ms);
  store_record(host, now_ms);
}

void Shard::judge_host(Host& host, std::int64_t now_ms) {
  const HostState state = judged(host, now_ms);
  if (state == host.state) {
    host.since_ms = std::min(host.since_ms, now_ms);  // our clock was ahead for a while
    if (state != HostState::left || host.left_for_good || now_ms - host.since_ms < kLeftForGoodMs) return;
    host.left_for_good = true;
    if (left_for_good_) left_for_good_(host.record.name);
    return;
  }
  host.left_for_good = false;
  const auto level = state == HostState::down ? log::Level::warn : log::Level::info;
  log::write(level, "fleet", "host state changed",
             {{"host", host.record.name}, {"from", to_string(host.state)}, {"to", to_string(state)}});
  // What we hear first after a start was probably so before it.
  host.since_earlier = host.since_earlier && host.state == HostState::late;
  host.state = state;
  host.since_ms = now_ms;
}

void Shard::write_fleet_row(Host& host, std::int64_t now_ms) {
  const std::int64_t time_ms = now_ms - now_ms % kTickMs;
  if (time_ms == host.fleet_row_ms) return;
  if (host.fleet_row_ms == 0) {
    std::vector<SeriesId> ids;
    for (const FleetSeries& series : fleet_series()) {
      const auto id = columns(host, series.source, {series.spec}, now_ms);
      if (!id) return;  // said where the limit was reached
      ids.push_back(id->front());
    }
    host.head.set_columns(kFleetSource, fleet_source(), std::move(ids));
  }
  host.fleet_row_ms = time_ms;
  const FleetRow row{host.state, has_verdict(host.facts, host.state), host.skew.seconds(),
                     now_ms - host.facts.last_rows_ms, host.connected};
  host.head.append(kFleetSource, time_ms, fleet_values(row));
}

/// At what has arrived.
void Shard::look(Host& host, std::int64_t t_ms, std::int64_t now_ms) {
  host.last_hook_ms = now_ms;
  run_hook(host, t_ms, Occasion::arrival);
}

void Shard::run_hook(Host& host, std::int64_t t_ms, Occasion occasion) {
  if (!hook_) return;
  HostStorage storage(host.head);
  Covered covered{host.covered_since_ms, host.last_sample_ms};
  if (host.kind != HostKind::agent) covered.until_ms = t_ms;  // nobody knows how often it pushes
  hook_(host.record.id, host.record.name, t_ms, storage, occasion, covered);
}

void Shard::tick(std::int64_t now_ms) {
  for (const auto& [id, host] : hosts_) {
    judge_host(*host, now_ms);
    if (!host->duplicate_remote.empty() && now_ms - host->duplicate_ms > kDuplicateGoneMs) {
      log::info("fleet", "no second agent claims this name any more", {{"host", host->record.name}});
      host->duplicate_remote.clear();
    }
    const bool taken_again = host->state == HostState::up && now_ms - host->refusal_ms > kRefusalShownMs;
    if (taken_again || now_ms - host->refusal_ms > kRefusalForgottenMs) host->refusal.clear();
    if (!host->record.removed && host->kind == HostKind::agent) write_fleet_row(*host, now_ms);
    if (host->head.seal_due(now_ms)) seal(*host, now_ms);
    seal_late(*host);
    host->head.evict(now_ms);
    // Rules look when rows arrive; at a silent host they look now. What it had before our start is not what
    // it has now.
    const bool silent = now_ms - host->last_hook_ms >= std::max(kTickMs, host->facts.beat_ms) + kTickMs / 2;
    if (silent && host->covered_since_ms != 0 && host->state != HostState::left)
      run_hook(*host, std::max(host->last_sample_ms, now_ms), Occasion::quiet);
  }
  leaving_.tick(hosts_, now_ms);
}

void Shard::seal(Host& host, std::int64_t now_ms) {
  store_blocks(host, host.head.seal(now_ms), cursors_of(host));
  while (host.streams.size() > kStreamsKept && !host.streams.front().open)
    host.streams.erase(host.streams.begin());
}

// Other streams have rows in blocks that are still open: only the one of late rows is settled.
void Shard::seal_late(Host& host) {
  if (!host.head.late_seal_due()) return;
  std::vector<SealCursor> cursors;
  for (const StreamProgress& stream : host.streams)
    if (stream.late && stream.keyframe_seq != 0) cursors.push_back(cursor_of(host, stream));
  store_blocks(host, host.head.seal_late(), std::move(cursors));
}

void Shard::store_blocks(Host& host, std::vector<SealedPart> parts, std::vector<SealCursor> cursors) {
  if (parts.empty() || history_ == nullptr) return;
  if (auto sealed = history_->seal(host.record.id, std::move(parts), std::move(cursors)); !sealed)
    log::error("store", "cannot seal", {{"host", host.record.name}, {"error", sealed.error()}});
}

void Shard::seal_all(std::int64_t now_ms) {
  for (const auto& [id, host] : hosts_) {
    seal(*host, now_ms);
    if (!host->record.left || host->kind != HostKind::agent)
      store_record(*host, host->facts.presence == Presence::heard ? host->facts.last_rows_ms
                                                                  : host->record.last_seen_ms);
  }
}

}  // namespace vigil::aggregator
