// The first form of the history kept journal and blocks in history.db itself. Brings such a folder into
// today's form, in place.
#pragma once

#include "aggregator/store/history.h"
#include "aggregator/store/tables.h"

namespace vigil::aggregator {

/// Moves blocks into partitions and the journal's groups into a journal file, then drops their tables. Broken
/// off, it begins anew at the next start. Nothing to do: returns at once.
Result<void> move_legacy(Tables& tables, const HistoryOptions& options);

}  // namespace vigil::aggregator
