// What a start reads back from history.db before anything is written.
#pragma once

#include "aggregator/store/history.h"
#include "aggregator/store/journal_index.h"
#include "aggregator/store/tables.h"

#include <functional>
#include <vector>

namespace vigil::aggregator {

struct Recovery {
  Recovered recovered;
  std::vector<StoredSource> sources;
};

/// Reads hosts, series and cursors, and fills `index` from the cursors and the journal.
/// Errc::corrupt: ids are not dense, or a record does not decode.
Result<Recovery> recover_from(Tables& tables, JournalIndex& index);

/// Visits the journal's batches that are still needed, each after the schemas it can refer to.
Result<Replayed> replay_from(Tables& tables, const JournalIndex& index,
                             const std::function<void(const JournalEntry&)>& visit);

}  // namespace vigil::aggregator
