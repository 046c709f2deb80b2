// A test of channels: a message to each, on a courier of its own, so that what waits for a channel neither
// holds it up nor is held up by it.
#pragma once

#include "aggregator/notify/courier.h"
#include "aggregator/notify/notifier.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vigil::notify {

/// The alert VigilTest, of severity info, as a message to this endpoint.
Row test_row(const Endpoint& endpoint, Kind kind, std::int64_t now_ms);

/// Blocks; see Notifier::test(). In the order of `endpoints`.
std::vector<TestAnswer> run_test(const std::vector<Endpoint>& endpoints, CourierOptions options,
                                 const std::function<bool()>& is_cancelled);

}  // namespace vigil::notify
