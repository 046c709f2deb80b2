#include "tests/aggregator/store/workload.h"

#include <algorithm>
#include <numeric>
#include <thread>

namespace vigil::aggregator::testing {
namespace {

constexpr HostId kMostHosts = 4;
constexpr std::size_t kMostStreams = 4;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kMostSpanMs = kHourMs;  // of one block

/// Rows of several batches as one block.
std::shared_ptr<const SealedBlock> block_of(HostId host, const std::vector<SeriesId>& ids,
                                            std::vector<SentBatch> batches) {
  std::sort(batches.begin(), batches.end(),
            [](const SentBatch& left, const SentBatch& right) { return left.first_ms < right.first_ms; });
  Block block;
  for (const SentBatch& batch : batches) {
    for (std::int64_t row = 0; row < batch.rows; ++row)
      block.times_ms.push_back(batch.first_ms + row * kTickMs);
  }
  const auto most = std::max_element(
      batches.begin(), batches.end(),
      [](const SentBatch& left, const SentBatch& right) { return left.columns < right.columns; });
  for (std::size_t column = 0; column < most->columns; ++column) {
    block.series.push_back(ids.at(column));
    for (const SentBatch& batch : batches) {
      for (std::int64_t row = 0; row < batch.rows; ++row) {
        const std::int64_t time = batch.first_ms + row * kTickMs;
        block.values.push_back(column < batch.columns ? model_value(host, ids.at(column), time) : kAbsent);
      }
    }
  }
  auto sealed = SealedBlock::open(seal(block));
  return sealed ? *sealed : nullptr;  // the history refuses null
}

class Wait {
 public:
  explicit Wait(std::atomic<bool>& waits) : waits_(waits) { waits_ = true; }
  ~Wait() { waits_ = false; }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

 private:
  std::atomic<bool>& waits_;
};

}  // namespace

const std::vector<Workload::Choice>& Workload::choices() {
  static const std::vector<Choice> choices = {
      {40, &Workload::send},       {14, &Workload::commit},     {14, &Workload::seal_open},
      {5, &Workload::miss},        {4, &Workload::add_series},  {2, &Workload::change_series},
      {3, &Workload::touch_host},  {3, &Workload::add_host},    {4, &Workload::replace_stream},
      {4, &Workload::reconnect},   {3, &Workload::pass_time},   {3, &Workload::tidy},
      {1, &Workload::remove_host}, {3, &Workload::name_series}, {3, &Workload::drop_unused},
  };
  return choices;
}

bool Workload::act(History& history) {
  std::vector<HostId> present;
  for (HostId host = 0; host < model_.hosts.size(); ++host) {
    if (!model_.hosts[host].removed()) present.push_back(host);
  }
  if (present.empty()) return add_host(history, 0);
  const HostId host = present[below(present.size())];
  const int total = std::accumulate(choices().begin(), choices().end(), 0,
                                    [](int sum, const Choice& choice) { return sum + choice.weight; });
  auto left = static_cast<int>(below(static_cast<std::uint64_t>(total)));
  for (const Choice& choice : choices()) {
    left -= choice.weight;
    if (left < 0) return (this->*choice.action)(history, host);
  }
  return true;
}

StreamId Workload::fresh_stream() {
  StreamId stream{};
  for (auto& byte : stream) byte = static_cast<std::uint8_t>(below(256));
  return stream;
}

bool Workload::journal(History& history, HostId host, const SentBatch& batch) {
  std::size_t& declared = states_[host].declared[batch.source];
  if (declared != batch.columns) {
    if (!history.journal(schema_entry(host, batch))) return false;
    declared = batch.columns;
  }
  return history.journal(batch_entry(host, batch));
}

bool Workload::send(History& history, HostId host) {
  HostState& state = states_[host];
  SentBatch batch;
  batch.stream = state.stream;
  batch.seq = state.next_seq++;
  batch.source = below(4) == 0 ? 1 : 0;
  batch.columns = model_.hosts[host].series_of(batch.source).size();
  batch.first_ms = std::max(state.next_ms, model_.now_ms);
  batch.rows = 1 + static_cast<std::int64_t>(below(3));
  batch.padding = below(8) == 0 ? below(9000) : below(60);
  batch.keyframe = batch.seq == 1 || state.starts_anew || below(5) == 0;
  batch.order = model_.next_order();
  state.starts_anew = false;
  state.next_ms = batch.first_ms + batch.rows * kTickMs;
  model_.now_ms = std::max(model_.now_ms, state.next_ms);
  model_.hosts[host].batches.push_back(batch);
  state.open.push_back(batch);
  return journal(history, host, batch);
}

bool Workload::commit(History& history, HostId /*host*/) {
  const Wait wait(waits_);
  if (!history.sync()) return false;
  model_.synced();
  return true;
}

// Blocks of what is open: a new one, or the newest one with more rows in it, as when late rows come. Rows
// that are far apart are not in one block.
std::vector<SealedPart> Workload::blocks_of(HostId host) {
  HostState& state = states_[host];
  std::vector<SealedPart> parts;
  for (std::size_t source = 0; source < kModelSources; ++source) {
    std::vector<SentBatch>& rows = state.newest[source];
    if (below(3) > 0) rows.clear();
    const auto flush = [&] {
      if (!rows.empty())
        parts.push_back({model_source(source), block_of(host, model_.hosts[host].series_of(source), rows)});
    };
    bool changed = false;
    for (const SentBatch& batch : state.open) {
      if (batch.source != source) continue;
      if (!rows.empty() && batch.first_ms - rows.front().first_ms > kMostSpanMs) {
        if (changed) flush();
        rows.clear();
      }
      rows.push_back(batch);
      changed = true;
    }
    if (changed) flush();
  }
  return parts;
}

std::vector<SealCursor> Workload::cursors_of(HostId host) {
  const HostState& state = states_[host];
  HostModel& model = model_.hosts[host];
  std::map<StreamId, std::uint64_t> sealed;
  for (const SentBatch& batch : state.open) {
    std::uint64_t& last = sealed[batch.stream];
    last = std::max(last, batch.seq);
  }
  std::vector<SealCursor> cursors;
  for (const auto& [stream, seq] : sealed) {
    const bool current = stream == state.stream;
    cursors.push_back({stream, seq, current ? model.keyframe_before(stream, seq + 1) : kNothingNeeded});
    if (!current) model.given_up[stream] = seq;
  }
  return cursors;
}

bool Workload::seal_open(History& history, HostId host) {
  if (states_[host].open.empty()) return true;
  auto cursors = cursors_of(host);
  model_.next_order();
  if (!history.seal(host, blocks_of(host), std::move(cursors))) return false;
  states_[host].open.clear();
  return below(2) == 0 || commit(history, host);
}

// The agent could not keep what it sampled, and says so.
bool Workload::miss(History& history, HostId host) {
  HostState& state = states_[host];
  const std::int64_t first = std::max(state.next_ms, model_.now_ms);
  const std::int64_t last = first + static_cast<std::int64_t>(below(600)) * kTickMs;
  state.next_ms = last + kTickMs;
  model_.now_ms = state.next_ms;
  const GapRecord gap{host, first, last, "buffer_full"};
  model_.hosts[host].gaps.push_back({model_.next_order(), gap});
  return history.put_gap(gap).has_value();
}

bool Workload::put_series(History& history, HostId host, SeriesRecord record) {
  auto& series = model_.hosts[host].series;
  if (record.id == series.size()) series.emplace_back();
  series[record.id].push_back({model_.next_order(), record});
  return history.put_series(host, {std::move(record)}).has_value();
}

bool Workload::add_series(History& history, HostId host) {
  const auto id = static_cast<SeriesId>(model_.hosts[host].series.size());
  SeriesRecord record = make_series(id);
  record.source = model_source(id % kModelSources);
  return put_series(history, host, std::move(record));
}

bool Workload::change_series(History& history, HostId host) {
  const auto& series = model_.hosts[host].series;
  const auto id = static_cast<SeriesId>(below(series.size()));
  if (series[id].empty() || model_.hosts[host].left.contains(id)) return true;
  SeriesRecord record = series[id].back().value;
  record.spec.scale = static_cast<std::uint8_t>(below(kMaxScale + 1));
  return put_series(history, host, std::move(record));
}

// One that never has a sample.
bool Workload::name_series(History& history, HostId host) {
  SeriesRecord record = make_series(static_cast<SeriesId>(model_.hosts[host].series.size()));
  record.source = kNeverSampled;
  return put_series(history, host, std::move(record));
}

// As an aggregator does when retention has been there. Nothing is sampled between question and answer.
bool Workload::drop_unused(History& history, HostId host) {
  const Wait wait(waits_);
  const auto answer = history.ask_unused({host});
  if (!answer) return false;
  while (!answer->answered) std::this_thread::yield();
  if (answer->failed) return true;  // a failing disk: nothing leaves
  HostModel& model = model_.hosts[host];
  std::set<SeriesId> unused(answer->hosts.at(0).series.begin(), answer->hosts.at(0).series.end());
  for (const SentBatch& batch : model.batches) {
    const bool open = std::ranges::any_of(states_[host].open,
                                          [&](const SentBatch& each) { return each.order == batch.order; });
    if (open || batch.first_ms < model_.kept_from_ms()) continue;
    const auto ids = model.series_of(batch.source);
    const auto sampled = std::span(ids).first(batch.columns);
    if (std::ranges::any_of(sampled, [&](SeriesId id) { return unused.contains(id); })) return false;
  }
  std::erase_if(unused, [&](SeriesId id) { return model.series[id].front().value.source != kNeverSampled; });
  if (unused.empty()) return true;
  for (const SeriesId id : unused) model.left[id] = model_.next_order();
  return history.drop_series(host, std::vector<SeriesId>(unused.begin(), unused.end())).has_value();
}

bool Workload::touch_host(History& history, HostId host) {
  HostRecord record = model_.hosts[host].records.back().value;
  record.last_seen_ms = model_.now_ms;
  record.boot_id = fmt::format("boot {}", below(1000));
  model_.hosts[host].records.push_back({model_.next_order(), record});
  return history.put_host(std::move(record)).has_value();
}

bool Workload::add_host(History& history, HostId /*host*/) {
  const auto id = static_cast<HostId>(model_.hosts.size());
  if (id >= kMostHosts) return true;
  model_.hosts.emplace_back();
  states_.resize(model_.hosts.size());
  states_[id].stream = fresh_stream();
  HostRecord record = make_host(id);
  record.first_seen_ms = model_.now_ms;
  model_.hosts[id].records.push_back({model_.next_order(), record});
  if (!history.put_host(std::move(record))) return false;
  for (std::size_t source = 0; source < kModelSources; ++source) {
    if (!add_series(history, id)) return false;
  }
  return true;
}

// The agent was started again: its rows so far are sealed as soon as there is an occasion. Or an earlier
// stream comes back, as when two agents claim one name by turns. Four streams at most, for so many cursors of
// a host are kept.
bool Workload::replace_stream(History& /*history*/, HostId host) {
  HostState& state = states_[host];
  const std::vector<StreamId> streams = model_.hosts[host].streams();
  const bool comes_back = (below(3) == 0 && !streams.empty()) || streams.size() >= kMostStreams;
  state.stream = comes_back ? streams[below(streams.size())] : fresh_stream();
  state.next_seq = model_.hosts[host].last_seq(state.stream) + 1;
  state.starts_anew = true;
  state.declared.clear();
  return true;
}

// The agent connects anew and sends again what nobody acknowledged, from a keyframe on.
bool Workload::reconnect(History& history, HostId host) {
  HostState& state = states_[host];
  state.declared.clear();
  std::uint64_t first = state.next_seq;
  for (const SentBatch& batch : model_.hosts[host].batches) {
    if (batch.stream == state.stream && !batch.acknowledged) first = std::min(first, batch.seq);
  }
  first = model_.hosts[host].keyframe_before(state.stream, first);
  for (const SentBatch& batch : model_.hosts[host].batches) {
    if (batch.stream != state.stream || batch.seq < first) continue;
    if (!journal(history, host, batch)) return false;
  }
  return true;
}

bool Workload::pass_time(History& /*history*/, HostId /*host*/) {
  model_.now_ms +=
      static_cast<std::int64_t>(1 + below(20)) * kHourMs + static_cast<std::int64_t>(below(1000));
  return true;
}

bool Workload::tidy(History& history, HostId /*host*/) {
  const Wait wait(waits_);
  if (!history.tidy()) return false;
  model_.synced();
  return true;
}

bool Workload::remove_host(History& history, HostId host) {
  if (hosts_ == Hosts::stay) return true;
  HostRecord record = model_.hosts[host].records.back().value;
  record.removed = true;
  model_.hosts[host].records.push_back({model_.next_order(), record});
  return history.forget_host(std::move(record)).has_value();
}

Problems Workload::look(const OpenHistory& open) const {
  Problems problems;
  for (HostId host = 0; host < model_.hosts.size(); ++host) {
    if (model_.hosts[host].removed()) continue;
    auto sealed = sealed_cells(open, host);
    if (!sealed) {
      problems.push_back(fmt::format("host {}: {}", host, sealed.error().message));
      continue;
    }
    std::sort(sealed->begin(), sealed->end());
    for (const SentBatch& batch : model_.hosts[host].batches) {
      const bool is_open = std::any_of(states_[host].open.begin(), states_[host].open.end(),
                                       [&](const SentBatch& each) { return each.order == batch.order; });
      const Cell first(model_.hosts[host].series_of(batch.source).front(), batch.first_ms);
      const bool is_sealed = std::binary_search(sealed->begin(), sealed->end(), first);
      if (!is_open && !is_sealed && batch.first_ms >= model_.kept_from_ms())
        problems.push_back(fmt::format("host {}: batch {} was sealed and is not read", host, batch.seq));
    }
  }
  return problems;
}

}  // namespace vigil::aggregator::testing
