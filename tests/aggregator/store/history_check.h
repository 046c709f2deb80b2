// Whether a history that was opened holds what the model says it must, and nothing that was never sent.
//
//  - Of each host: a record and series at least as new as those that are known to be on disk, ids unchanged.
//  - Each batch that was acknowledged, or that a cursor claims, is in a block that can be read or is
//  replayed;
//    each row is seen once; each value is the one that was sent.
//  - The journal of a stream is replayed from a keyframe that its open rows need, without holes up to the
//    cursor, byte by byte as it was sent, each batch after its schema.
//  - Gaps are those that were declared, and nothing is seen within one.
//  - A host that was removed has nothing but its name and its blocks; entries of it in groups that others
//  need
//    may still be replayed.
#pragma once

#include "tests/aggregator/store/folder_fixture.h"
#include "tests/aggregator/store/history_model.h"

#include <set>

namespace vigil::aggregator::testing {

/// Sentences about what is wrong; empty: nothing.
using Problems = std::vector<std::string>;

Problems check_history(const HistoryModel& model, const OpenHistory& open);

/// The seqs that a stream's replay yields, by stream of one host.
std::map<StreamId, std::set<std::uint64_t>> replayed_seqs(const OpenHistory& open, HostId host);

/// The cells that blocks hold: (series, time) of one host.
using Cell = std::pair<SeriesId, std::int64_t>;
Result<std::vector<Cell>> sealed_cells(const OpenHistory& open, HostId host);

}  // namespace vigil::aggregator::testing
