// Messages that were given up: which there are, and sending them again. They stay in the outbox of meta.db,
// where they are found after a restart, until somebody sends or drops them, or they are too old.
#pragma once

#include "aggregator/notify/notification.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::alerts {

inline constexpr std::size_t kMostDeadListed = 1000;

struct DeadLetter {
  notify::Row row;  // its `attempts` are those that failed
  std::int64_t given_up_ms = 0;
  std::string error;        // of the last attempt
  bool is_readable = true;  // false: nobody knows what it says; it can be dropped
};

struct DeadLetters {
  std::vector<DeadLetter> letters;     // the newest first
  std::uint64_t left_out = 0;          // older ones
  std::vector<std::string> receivers;  // of all of them: endpoints' names
};

/// Some of them.
struct LetterChoice {
  std::vector<std::int64_t> ids;  // empty: all
  std::string receiver;           // of all: "" those to everybody, "ops" or "ops/slack[0]" those to it
  std::int64_t after = 0;         // of all: those with a greater id
};

/// Of all there may be a hundred thousand: one turn of the alert thread takes some, the oldest first.
struct Resent {
  std::uint64_t sent = 0;
  std::uint64_t outdated = 0;    // what they say is not so any more
  std::uint64_t unknown = 0;     // their receiver is not configured any more
  std::uint64_t unreadable = 0;  // nobody knows what they say
  std::int64_t next = 0;         // there may be more after this id; 0: there are none
};
struct Dropped {
  std::uint64_t dropped = 0;
  std::int64_t next = 0;  // the same
};

/// What it tells of, "HighCpu on web-1", and of how many alerts.
std::vector<std::string> about(const notify::Row& row, std::size_t most);
std::size_t alerts_in(const notify::Row& row);

}  // namespace vigil::alerts
