// Whether the aggregator has what it acknowledged: reads it back through queries and compares.
#pragma once

#include "cli/bench/replay.h"
#include "cli/client/client.h"
#include "common/error.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vigil::cli {

/// What one agent sent: rows 0, 1, 2, … at first_time_ms, first_time_ms + interval_ms, …
struct SentAgent {
  std::string name;
  std::uint64_t first_row = 0;   // of the replay
  std::uint64_t acked_rows = 0;  // these must be there
  std::uint64_t sent_rows = 0;   // more than these must not
};

struct Sent {
  const Replay* replay = nullptr;
  std::int64_t first_time_ms = 0;
  std::int64_t interval_ms = 0;
  std::vector<SentAgent> agents;
};

struct ReadBackLimits {
  std::uint64_t compared_samples = 2'000'000;   // value by value
  std::uint64_t counted_samples = 200'000'000;  // by their number in each series
  std::uint64_t samples_at_once = 5'000'000;    // in one query
  std::uint64_t series_at_once = 20'000;
};

struct ReadBack {
  std::uint64_t lost = 0;     // acknowledged, and not there with the value that was sent
  std::uint64_t doubled = 0;  // there more often than sent, or never sent
  std::uint64_t wrong = 0;    // of the lost ones: another value is there
  std::size_t compared_agents = 0;
  std::size_t counted_agents = 0;
  std::uint64_t samples = 0;  // acknowledged by these agents' streams
  std::string example;        // the first thing found wrong
};

/// Compares some agents value by value and counts the samples of the others, up to the limits; agents are
/// chosen evenly. `go_on` is told how many agents are done and of how many, and ends it by false. Errors:
/// those of the client.
Result<ReadBack> read_back(Client& client, const Sent& sent, const ReadBackLimits& limits,
                           const std::function<bool(std::size_t, std::size_t)>& go_on);

}  // namespace vigil::cli
