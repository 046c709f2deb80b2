// The containers a runtime is expected to have, by name. Listings, inspections and events go in; the roster
// says what is worth inspecting and what to publish. No clock, no I/O: time comes in with each call, as Unix
// milliseconds.
//
// A container is expected until it is removed. One that a listing no longer names, and that no `destroy`
// event explains, becomes `missing` and stays so for kMissingForMs; an event usually arrives a moment after
// the listing, so absence must be confirmed by a second listing at least kConfirmAfterMs later. A container
// recreated under the same name goes on with the counters of the old one.
#pragma once

#include "agent/containers/container.h"
#include "agent/containers/docker_json.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vigil::agent {

class Roster {
 public:
  static constexpr std::int64_t kMissingForMs = 24LL * 3600 * 1000;
  static constexpr std::int64_t kConfirmAfterMs = 2000;

  explicit Roster(std::string runtime) : runtime_(std::move(runtime)) {}

  /// A whole listing.
  void apply(const std::vector<ListedContainer>& listed, std::int64_t now_ms);
  void apply(const InspectedContainer& inspected);
  /// An event; also those that happened while we were not connected.
  void apply(const RuntimeEvent& event);
  /// The runtime does not know this id any more: as if a listing had left it out.
  void gone(const std::string& id, std::int64_t now_ms);
  /// It could not be inspected: the next listing asks for it again.
  void inspect_later(const std::string& id);

  /// Ids of containers that changed since they were last inspected; cleared by the call.
  std::vector<std::string> take_to_inspect();
  /// Something happened that only a listing can tell: a container was created or renamed.
  bool wants_listing() const { return wants_listing_; }
  /// Names are absent without explanation and not yet confirmed: list again after kConfirmAfterMs.
  bool unconfirmed() const;

  /// Sorted by name.
  std::vector<Container> containers() const;
  std::int64_t refused() const { return refused_; }

 private:
  /// One run of a container's process. OOM kills are known from events, which may be lost, and from a flag,
  /// which counts only one.
  struct Life {
    std::int64_t started_ms = 0;
    std::int64_t oom_events = 0;
    bool oom_flag = false;
    std::int64_t ooms() const { return oom_flag && oom_events == 0 ? 1 : oom_events; }
  };
  struct Entry {
    Container container;
    Life life;
    Life life_before;
    std::int64_t ooms_settled = 0;   // of all lives before life_before
    std::int64_t restart_count = 0;  // the runtime's own, of this id
    std::int64_t absent_since_ms = 0;
    bool start_counted = false;  // the count is ahead: the policy restarts it, and its start is still to come
    bool recreated = true;       // of this id nothing has been inspected yet
    bool inspected = false;
    bool to_inspect = true;
  };
  using Entries = std::map<std::string, Entry>;

  Entry* find_id(const std::string& id);
  Entry* entry_for(const ListedContainer& listed);
  void take_listed(const ListedContainer& listed, Entry& entry) const;
  static void count_restarts(const InspectedContainer& inspected, Entry& entry);
  static void begin_life(std::int64_t started_ms, Entry& entry);
  static void publish_ooms(Entry& entry);

  std::string runtime_;
  Entries entries_;
  std::int64_t refused_ = 0;
  bool wants_listing_ = true;
};

}  // namespace vigil::agent
