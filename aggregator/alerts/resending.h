// Whether a message that was given up still tells the truth.
#pragma once

#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/grouping.h"
#include "aggregator/notify/notification.h"
#include "aggregator/silences/silence_book.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace vigil::alerts {

/// What is looked at to see whether a message still tells the truth.
struct Present {
  const AlertBook& book;
  const Grouping& grouping;
  const silences::SilenceBook& silences;
  std::int64_t now_ms = 0;
  std::string_view external_url{};
};

/// The message without what is not so any more; nothing when nothing is left. Told late, that something fires
/// which is over would open an incident that nobody closes, and that something is over which fires again, or
/// of a group of which something fires, would close one too early. Of a group's message that had no room for
/// all, those that it left out and that fire still take the places of those that are over.
std::optional<notify::Row> as_of_now(notify::Row row, const Present& present);

}  // namespace vigil::alerts
