// What a start reads back from history.db and the journal before anything is written.
#pragma once

#include "aggregator/store/history.h"
#include "aggregator/store/journal_index.h"
#include "aggregator/store/tables.h"
#include "aggregator/store/writer.h"

#include <functional>
#include <vector>

namespace vigil::aggregator {

struct Recovery {
  Recovered recovered;
  std::vector<StoredSource> sources;
};

/// Reads hosts, series and cursors, and fills the writer's journal index from the cursors and the journal.
/// Errc::corrupt: ids of hosts are not dense, series are missing, or a record does not decode.
Result<Recovery> recover_from(Writer& writer);

/// Visits the journal's batches that are still needed, each after the schemas it can refer to.
Result<Replayed> replay_from(Writer& writer, const std::function<void(const JournalEntry&)>& visit);

}  // namespace vigil::aggregator
