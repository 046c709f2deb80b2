// How the workload goes on after a restart.
#include "tests/aggregator/store/workload.h"

#include <algorithm>
#include <limits>

namespace vigil::aggregator::testing {
namespace {

const Cursor* cursor_of(const RecoveredHost& host, const StreamId& stream) {
  const auto found = std::find_if(host.cursors.begin(), host.cursors.end(),
                                  [&](const Cursor& cursor) { return cursor.stream == stream; });
  return found == host.cursors.end() ? nullptr : &*found;
}

}  // namespace

void Workload::resume(const OpenHistory& open) {
  const std::size_t found = open.recovered.hosts.size();
  model_.hosts.resize(std::min(model_.hosts.size(), found));
  states_.assign(model_.hosts.size(), {});
  for (HostId host = 0; host < model_.hosts.size(); ++host) resume_host(open, host);
  model_.synced();  // what was found on disk stays there
}

// What did not reach the disk has never been; agents make something new.
void Workload::drop_unsafe(const OpenHistory& open, HostId id) {
  HostModel& host = model_.hosts[id];
  const RecoveredHost& recovered = open.recovered.hosts[id];
  host.records = {{0, recovered.host}};
  host.series.assign(recovered.next_series, {});
  for (const SeriesRecord& series : recovered.series) {
    host.series[series.id] = {{0, series}};
    host.left.erase(series.id);  // not yet on disk: it has to be dropped again
  }
  std::erase_if(host.left, [&](const auto& left) { return left.first >= recovered.next_series; });
  const auto gaps = open.history->gaps(id, 0, std::numeric_limits<std::int64_t>::max());
  std::erase_if(host.gaps, [&](const auto& put) {
    return !gaps || std::count(gaps->begin(), gaps->end(), put.value) == 0;
  });
  auto sealed = sealed_cells(open, id);
  if (sealed) std::sort(sealed->begin(), sealed->end());
  std::erase_if(host.batches, [&](const SentBatch& batch) {
    if (batch.acknowledged) return false;
    const Cursor* cursor = cursor_of(recovered, batch.stream);
    if (cursor != nullptr && batch.seq <= cursor->durable_seq) return false;
    const auto ids = host.series_of(batch.source);
    return ids.empty() || !sealed ||
           !std::binary_search(sealed->begin(), sealed->end(), Cell(ids.front(), batch.first_ms));
  });
  for (SentBatch& batch : host.batches) batch.acknowledged = true;
}

void Workload::resume_host(const OpenHistory& open, HostId id) {
  const RecoveredHost& recovered = open.recovered.hosts[id];
  HostModel& host = model_.hosts[id];
  if (recovered.host.removed) {
    host = HostModel{{{0, recovered.host}}, {}, {}, {}, {}, {}};
    return;
  }
  drop_unsafe(open, id);
  HostState& state = states_[id];
  state.stream = recovered.cursors.empty() ? fresh_stream() : recovered.cursors.back().stream;
  state.starts_anew = true;
  const auto replayed = replayed_seqs(open, id);
  for (const SentBatch& batch : host.batches) {
    state.next_ms = std::max(state.next_ms, batch.first_ms + batch.rows * kTickMs);
    if (batch.stream == state.stream) state.next_seq = std::max(state.next_seq, batch.seq + 1);
    const Cursor* cursor = cursor_of(recovered, batch.stream);
    const auto of_stream = replayed.find(batch.stream);
    if (cursor == nullptr || of_stream == replayed.end()) continue;
    if (batch.seq > cursor->sealed_seq && of_stream->second.contains(batch.seq)) state.open.push_back(batch);
  }
}

}  // namespace vigil::aggregator::testing
