// Series that ended leave a shard's hosts when nothing of them is stored any more: the registry, the index of
// the history and the limits then know them no longer. Belongs to a shard and its thread.
//
// A look at some hosts at a time, each time retention has removed files:
//   1. their registries begin a round: what is in memory, and what is used from now on, is in use;
//   2. the history is asked which of their series have no block in a file, and none on its way to one;
//   3. of these, those that were not used since 1 leave the registry, then the index.
// Whatever has a sample was used since 1, or stood in memory then, or was stored before 2. A crash between
// the two removals of 3 leaves a series that leaves another time. One that comes back later is a new one,
// with a new id.
#pragma once

#include "aggregator/head/host.h"
#include "aggregator/head/host_directory.h"

#include <cstdint>
#include <memory>
#include <unordered_map>

namespace vigil::aggregator {

class History;
struct UnusedSeries;

class Leaving {
 public:
  using Hosts = std::unordered_map<HostId, std::unique_ptr<Host>>;

  /// `history` may be null: nothing leaves. Both outlive this.
  Leaving(HostDirectory& directory, History* history) : directory_(directory), history_(history) {}

  /// One step. Looks at each host for a number it has seen, unless there is something to do.
  void tick(const Hosts& hosts, std::int64_t now_ms);

  static constexpr std::size_t kHostsAtOnce = 32;
  /// In one step: some milliseconds of the shard, and of the history's thread.
  static constexpr std::size_t kMostAtOnce = 10'000;

 private:
  void ask(const Hosts& hosts);
  std::size_t let_go(Host& host, std::size_t most);

  HostDirectory& directory_;
  History* const history_;
  std::shared_ptr<const UnusedSeries> asked_;  // null: nothing was
  std::size_t host_ = 0;                       // of the answer, the next one
  std::size_t next_ = 0;                       // of its series
  std::size_t left_ = 0;                       // of that host
  std::int64_t not_before_ms_ = 0;             // after a failure
};

}  // namespace vigil::aggregator
