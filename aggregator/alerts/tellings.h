// Who was told what of which alert, and when: for whoever asks why, as long as the alert itself is kept. A
// value; made of the messages that go into the outbox, and stored with them in meta.db, which adds when they
// arrived.
#pragma once

#include "aggregator/notify/notification.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::alerts {

/// All times are Unix milliseconds.
struct Telling {
  enum class What : std::uint8_t { fires, escalated, over };

  std::string fingerprint;       // of the alert
  std::int64_t fired_at_ms = 0;  // and of its life
  std::string receiver;          // the endpoint's name: "ops", "ops/slack[0]"
  std::string group_key;         // of its group in alertmanager.yml; "": it was told of by itself
  What what = What::fires;
  std::int64_t at_ms = 0;    // when it was put into the outbox first
  std::int64_t last_ms = 0;  // and last
  std::int64_t times = 1;
  std::int64_t first_arrived_ms = 0;  // when its receiver took the first one that it took; 0: none yet
  std::int64_t last_arrived_ms = 0;   // and the latest
  friend bool operator==(const Telling&, const Telling&) = default;
};
/// "fires", "escalated", "over": as in meta.db.
std::string_view to_string(Telling::What what);
/// Anything else is `fires`.
Telling::What parse_what(std::string_view text);

/// What a message tells of each alert that it names; nothing of a maintenance. `firing_as`: what it means
/// that one fires.
std::vector<Telling> tellings_of(const notify::Row& row, Telling::What firing_as);

/// Adds one to those there are: the same receiver is told the same of the same alert again.
void merge(Telling telling, std::vector<Telling>& into);

}  // namespace vigil::alerts
