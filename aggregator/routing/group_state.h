// What is remembered of one group of alerts, and how it is stored.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace vigil::routing {

/// An alert's place in a group.
enum class Membership : std::uint8_t {
  firing,
  resolved,  // waits for the next message, for those who were told that it fires
  moved      // fires, and is routed elsewhere since: kept for those who were told, until it is resolved
};

/// What one channel was told.
struct Told {
  std::int64_t at_ms = 0;        // of the last message
  std::set<std::string> firing;  // fingerprints: told that it fires, and not yet that it is resolved
  std::set<std::string> news{};  // those of them that are to be told again at the next time
  friend bool operator==(const Told&, const Told&) = default;
};

struct GroupState {
  std::string route;      // the route's id
  std::string group_key;  // as Alertmanager has it
  std::string receiver;
  Labels labels;
  std::int64_t next_ms = 0;                  // when it may next have a message
  bool has_begun = false;                    // its first wait is over
  std::map<std::string, Membership> alerts;  // by fingerprint
  std::map<std::string, Told> told;          // by channel
  friend bool operator==(const GroupState&, const GroupState&) = default;

  /// The same for every life of the group: route and labels.
  std::string id() const;
  bool is_told(const std::string& fingerprint) const;
};

/// JSON; decode_group(encode(g)) == g. Errc::parse on anything else.
std::string encode(const GroupState& group);
Result<GroupState> decode_group(std::string_view json);

}  // namespace vigil::routing
