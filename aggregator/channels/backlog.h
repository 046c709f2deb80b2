// What a shipment says: its rows are messages of one group, each of which tells of the whole group. After a
// receiver was away there may be several, and the newest one says it all, but for alerts that ended
// meanwhile.
#pragma once

#include "aggregator/notify/lane.h"
#include "aggregator/notify/notification.h"

namespace vigil::channels {

/// The newest row's group. Alerts that an earlier row says are resolved and of which no later one speaks are
/// added: whoever was told of them waits for their end. Firing ones first, otherwise in the order told. All
/// texts are well-formed UTF-8 without NUL.
notify::Group merged(const notify::Shipment& shipment);

/// The most severe of those that fire, otherwise of all.
const notify::Notification& worst_of(const notify::Group& group);

bool is_firing(const notify::Group& group);

}  // namespace vigil::channels
