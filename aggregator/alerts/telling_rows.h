#pragma once

#include "aggregator/alerts/tellings.h"
#include "aggregator/store/sqlite.h"

#include <string_view>

namespace vigil::alerts {

/// Runs an update of the table `telling` for each row that a message made there: ?1 to ?5 are that row's key
/// (fingerprint, firing time, receiver, group, whether it is over), ?6 is when the message was made, and
/// `more` follows.
template <class... More>
Result<void> update_tellings(aggregator::Statement& update, const notify::Row& row, const More&... more) {
  for (const Telling& telling : tellings_of(row, Telling::What::fires)) {
    const std::int64_t is_over = telling.what == Telling::What::over ? 1 : 0;
    auto done = update.run(std::string_view(telling.fingerprint), telling.fired_at_ms,
                           std::string_view(telling.receiver), std::string_view(telling.group_key), is_over,
                           row.created_ms, more...);
    if (!done) return done;
  }
  return {};
}

}  // namespace vigil::alerts
