// Comparing blocks that a reader finds, and dividing those that are to be stored. Pure.
#pragma once

#include "aggregator/store/reader.h"

#include <memory>
#include <span>
#include <vector>

namespace vigil::aggregator {

/// Whether the block has one of these series; of none: yes.
bool holds_any(const SealedBlock& block, std::span<const SeriesId> wanted);
bool holds_same(const FoundBlock& left, const FoundBlock& right);
/// Whether `later` begins with `earlier`'s rows and series and replaces it (see Partition::put_block).
bool covers(const FoundBlock& later, const FoundBlock& earlier);
/// By the time they begin, then by source; others keep their order. Cheap when they are in order already.
void sort_by_time(std::vector<FoundBlock>& blocks);
/// A partition holds a day: a block of two becomes two.
Result<std::vector<std::shared_ptr<const SealedBlock>>> by_day(std::shared_ptr<const SealedBlock> block);

}  // namespace vigil::aggregator
