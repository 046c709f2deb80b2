#include "aggregator/store/unused_series.h"

#include <limits>

namespace vigil::aggregator {
namespace {

constexpr const char* kHeldRuns = "SELECT first_series, last_series FROM held WHERE host=?";
constexpr const char* kSeriesIds = "SELECT id FROM series WHERE host=? ORDER BY id";

}  // namespace

// Blocks that wait come first: one that is stored between the two looks is seen twice, never missed.
Result<std::vector<UnusedSeries::OfHost>> UnusedSeriesFinder::find(const std::vector<HostId>& hosts) {
  constexpr TimeRange kEver{std::numeric_limits<std::int64_t>::min(),
                            std::numeric_limits<std::int64_t>::max()};
  std::vector<SeriesSet> held(hosts.size());
  for (std::size_t i = 0; i < hosts.size(); ++i)
    for (const FoundBlock& waiting : pending_.find(hosts[i], kEver)) held[i].add_all(waiting.block->series());
  for (const Tier tier : kTiers) {
    for (const PartitionInfo& file : catalogue_.all(tier)) {
      if (file.empty()) continue;  // it may not be made yet
      if (auto added = add_held(file, hosts, held); !added) return added.error();
    }
  }
  std::vector<UnusedSeries::OfHost> unused;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    auto series = others(hosts[i], held[i]);
    if (!series) return series.error();
    unused.push_back({hosts[i], std::move(*series)});
  }
  return unused;
}

Result<void> UnusedSeriesFinder::add_held(const PartitionInfo& file, const std::vector<HostId>& hosts,
                                          std::vector<SeriesSet>& held) {
  auto connection = connections_.borrow(file.file.number, file.path);
  if (!connection) return connection.error();
  auto read = (*connection)->statement(kHeldRuns);
  if (!read) return fail(read.error().code, "{}: {}", file.path, read.error().message);
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    (*read)->bind(std::int64_t{hosts[i]});
    auto more = (*read)->step();
    for (; more && *more; more = (*read)->step())
      held[i].add({static_cast<SeriesId>((*read)->integer(0)), static_cast<SeriesId>((*read)->integer(1))});
    if (!more) return fail(more.error().code, "{}: {}", file.path, more.error().message);
  }
  return {};
}

/// Those of the index that are not held.
Result<std::vector<SeriesId>> UnusedSeriesFinder::others(HostId host, const SeriesSet& held) {
  std::vector<SeriesId> found;
  auto connection = connections_.borrow(0, index_path_);
  if (!connection) return connection.error();
  auto read = (*connection)->statement(kSeriesIds);
  if (!read) return read.error();
  (*read)->bind(std::int64_t{host});
  auto more = (*read)->step();
  for (; more && *more; more = (*read)->step()) {
    const auto id = static_cast<SeriesId>((*read)->integer(0));
    if (!held.contains(id)) found.push_back(id);
  }
  if (!more) return more.error();
  return found;
}

}  // namespace vigil::aggregator
