#include "agent/containers/roster.h"

#include <algorithm>
#include <unordered_set>

namespace vigil::agent {

Roster::Entry* Roster::find_id(const std::string& id) {
  for (auto& [name, entry] : entries_) {
    if (entry.container.id == id) return &entry;
  }
  return nullptr;
}

/// The entry of this name, made if need be; a renamed container takes its entry along to a name that is free.
Roster::Entry* Roster::entry_for(const ListedContainer& listed) {
  if (const auto found = entries_.find(listed.name); found != entries_.end()) return &found->second;
  const auto old = std::find_if(entries_.begin(), entries_.end(),
                                [&](const auto& e) { return e.second.container.id == listed.id; });
  if (old != entries_.end()) {
    auto node = entries_.extract(old);
    node.key() = listed.name;
    return &entries_.insert(std::move(node)).position->second;
  }
  if (entries_.size() >= kMaxContainers) return nullptr;
  return &entries_[listed.name];
}

void Roster::take_listed(const ListedContainer& listed, Entry& entry) const {
  Container& container = entry.container;
  if (container.id != listed.id) {  // new, or recreated under its old name
    entry.restart_count = 0;
    entry.start_counted = false;
    entry.recreated = true;
    entry.inspected = false;
    container.id = listed.id;
    container.image = listed.image;
    container.health = ContainerHealth::none;
    container.pid = 0;
    container.shares_network = false;
  }
  if (!entry.inspected || container.state != listed.state || entry.absent_since_ms != 0)
    entry.to_inspect = true;
  // Podman's list never tells health, so a container with a check is asked each time.
  if (listed.health ? *listed.health != container.health : container.health != ContainerHealth::none)
    entry.to_inspect = true;
  entry.absent_since_ms = 0;
  container.name = listed.name;
  container.runtime = runtime_;
  container.compose_project = listed.compose_project;
  container.compose_service = listed.compose_service;
  container.state = listed.state;
  if (listed.health) container.health = *listed.health;
}

void Roster::apply(const std::vector<ListedContainer>& listed, std::int64_t now_ms) {
  wants_listing_ = false;
  refused_ = 0;
  std::unordered_set<std::string> names;
  for (const ListedContainer& one : listed) {
    if (!names.insert(one.name).second) continue;
    if (Entry* entry = entry_for(one)) {
      take_listed(one, *entry);
    } else {
      ++refused_;
    }
  }
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    Entry& absent = entry->second;
    if (!names.contains(entry->first)) {
      if (absent.absent_since_ms == 0) absent.absent_since_ms = now_ms;
      if (now_ms - absent.absent_since_ms >= kConfirmAfterMs)
        absent.container.state = ContainerState::missing;
      if (now_ms - absent.absent_since_ms >= kMissingForMs) {
        entry = entries_.erase(entry);
        continue;
      }
    }
    ++entry;
  }
}

void Roster::apply(const InspectedContainer& inspected) {
  const auto found = entries_.find(inspected.name);
  if (found == entries_.end() || found->second.container.id != inspected.id)
    return;  // renamed meanwhile: the next listing tells
  Entry& entry = found->second;
  count_restarts(inspected, entry);
  Container& container = entry.container;
  if (!inspected.image.empty()) container.image = inspected.image;
  container.state = inspected.state;
  container.health = inspected.health;
  container.shares_network = inspected.shares_network;
  container.oom_killed = inspected.oom_killed;
  container.pid = inspected.pid;
  container.exit_code = inspected.exit_code;
  container.started_ms = inspected.started_ms;
  container.finished_ms = inspected.finished_ms;
  container.compose_project = inspected.compose_project;
  container.compose_service = inspected.compose_service;
  entry.inspected = true;
  entry.life.oom_flag = inspected.oom_killed;
  publish_ooms(entry);
}

/// RestartCount has the restarts of a restart policy only; a start by hand shows as a new StartedAt.
void Roster::count_restarts(const InspectedContainer& inspected, Entry& entry) {
  const std::int64_t by_policy = std::max<std::int64_t>(inspected.restart_count - entry.restart_count, 0);
  const bool started_before = !entry.recreated && entry.life.started_ms != 0;
  const bool started_again = started_before && inspected.started_ms != entry.life.started_ms;
  // The Engine counts when the container died, and starts it after its back-off: one look may see the count,
  // and the next one the start that belongs to it.
  const bool by_hand = started_again && by_policy == 0 && !entry.start_counted;
  entry.container.restarts += by_hand ? 1 : by_policy;
  entry.start_counted = inspected.state == ContainerState::restarting;
  entry.restart_count = inspected.restart_count;
  entry.recreated = false;
  if (inspected.started_ms != entry.life.started_ms) begin_life(inspected.started_ms, entry);
}

void Roster::begin_life(std::int64_t started_ms, Entry& entry) {
  entry.ooms_settled += entry.life_before.ooms();
  entry.life_before = entry.life;
  entry.life = {.started_ms = started_ms};
}

void Roster::publish_ooms(Entry& entry) {
  entry.container.oom_events_before_life = entry.ooms_settled + entry.life_before.ooms();
  entry.container.oom_events = entry.container.oom_events_before_life + entry.life.ooms();
}

void Roster::apply(const RuntimeEvent& event) {
  if (event.action == "destroy" || event.action == "remove") {
    std::erase_if(entries_, [&](const auto& entry) { return entry.second.container.id == event.id; });
    return;
  }
  Entry* entry = find_id(event.id);
  if (entry == nullptr || event.action == "create" || event.action == "rename") {
    wants_listing_ = true;
    return;
  }
  if (event.action == "oom") {
    const bool of_life_before = event.time_ns != 0 && event.time_ns / 1'000'000 < entry->life.started_ms;
    ++(of_life_before ? entry->life_before : entry->life).oom_events;
    publish_ooms(*entry);
  }
  entry->to_inspect = true;
}

void Roster::gone(const std::string& id, std::int64_t now_ms) {
  Entry* entry = find_id(id);
  if (entry != nullptr && entry->absent_since_ms == 0) entry->absent_since_ms = now_ms;
}

std::vector<std::string> Roster::take_to_inspect() {
  std::vector<std::string> ids;
  for (auto& [name, entry] : entries_) {
    if (entry.absent_since_ms == 0 && std::exchange(entry.to_inspect, false))
      ids.push_back(entry.container.id);
  }
  return ids;
}

void Roster::inspect_later(const std::string& id) {
  if (Entry* entry = find_id(id)) entry->inspected = false;
}

bool Roster::unconfirmed() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const auto& entry) {
    return entry.second.absent_since_ms != 0 && entry.second.container.state != ContainerState::missing;
  });
}

std::vector<Container> Roster::containers() const {
  std::vector<Container> all;
  all.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) all.push_back(entry.container);
  return all;
}

}  // namespace vigil::agent
