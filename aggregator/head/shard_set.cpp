#include "aggregator/head/shard_set.h"

namespace vigil::aggregator {

ShardSet::ShardSet(std::size_t count, const ShardOptions& options, History* history)
    : directory_(history, count, options.enrol) {
  for (std::size_t i = 0; i < count; ++i) {
    shards_.push_back(std::make_unique<Shard>(fmt::format("shard-{}", i), options, directory_, history));
  }
}

}  // namespace vigil::aggregator
