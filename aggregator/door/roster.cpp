#include "aggregator/door/roster.h"

#include <utility>

namespace vigil::aggregator::door {
namespace {

/// Who came within this time may be about to ask: another one of the same source does not displace it.
constexpr std::int64_t kGraceMs = 1000;

}  // namespace

Roster::Roster(const Limits& limits)
    : limits_(limits),
      by_source_({limits.new_of_source, limits.new_of_source * kSourceBurst}),
      of_all_({limits.new_of_all / 2, limits.new_of_all / 2 * kBurst, 1}),
      quiet_({kQuietRate, kQuietBurst}),
      kept_({limits.new_of_all / 2, limits.new_of_all / 2 * kBurst, 1}) {}

bool Roster::may_begin(const std::string& source, std::int64_t now_ms) {
  if (!by_source_.take(source, now_ms)) return false;
  if (of_all_.take("", now_ms)) return true;
  return kept_.has("", now_ms) && quiet_.take(source, now_ms) && kept_.take("", now_ms);
}

std::size_t Roster::held_by(const std::string& source) const {
  const auto found = sources_.find(source);
  return found == sources_.end() ? 0 : found->second.held;
}

Roster::Guests::iterator Roster::longest_waiting(const std::string& source) {
  const auto found = sources_.find(source);
  if (found == sources_.end() || found->second.waiting.empty()) return guests_.end();
  return guests_.find(found->second.waiting.begin()->second);
}

/// Of the source with most connections. Who has no more than the newcomer keeps its second of grace, or a
/// flood of newcomers would let nobody finish his request.
Roster::Guests::iterator Roster::who_makes_room(const std::string& newcomer, std::int64_t now_ms) {
  const std::size_t few = held_by(newcomer) + 1;
  const Source* chosen = nullptr;
  for (const auto& [name, source] : sources_) {
    if (source.waiting.empty()) continue;
    const auto& longest = *source.waiting.begin();
    if (source.held <= few && now_ms - longest.first < kGraceMs) continue;
    const bool is_better = chosen == nullptr || source.held > chosen->held ||
                           (source.held == chosen->held && longest < *chosen->waiting.begin());
    if (is_better) chosen = &source;
  }
  return chosen == nullptr ? guests_.end() : guests_.find(chosen->waiting.begin()->second);
}

std::optional<Refusal> Roster::make_room(const std::string& source, std::int64_t now_ms,
                                         std::function<void()>& dropped) {
  auto guest = guests_.end();
  if (held_by(source) >= limits_.most_of_source) {
    guest = longest_waiting(source);
    if (guest == guests_.end() || now_ms - *guest->second.waits_since < kGraceMs) return Refusal::source;
  } else if (guests_.size() >= limits_.most) {
    guest = who_makes_room(source, now_ms);
    if (guest == guests_.end()) return Refusal::full;
  } else {
    return std::nullopt;
  }
  dropped = std::move(guest->second.drop);
  erase(guest);
  return std::nullopt;
}

std::variant<Roster::Id, Refusal> Roster::enter(const std::string& source, std::int64_t now_ms,
                                                std::function<void()> drop) {
  if (!may_begin(source, now_ms)) return Refusal::rate;
  std::function<void()> dropped;
  Id id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (const auto refusal = make_room(source, now_ms, dropped)) return *refusal;
    id = next_++;
    guests_.emplace(id, Guest{source, std::nullopt, std::move(drop)});
    ++sources_[source].held;
  }
  if (dropped) dropped();
  return id;
}

void Roster::erase(Guests::iterator guest) {
  const auto source = sources_.find(guest->second.source);
  if (guest->second.waits_since) source->second.waiting.erase({*guest->second.waits_since, guest->first});
  if (--source->second.held == 0) sources_.erase(source);
  guests_.erase(guest);
}

void Roster::leave(Id id) {
  const std::lock_guard lock(mutex_);
  if (const auto guest = guests_.find(id); guest != guests_.end()) erase(guest);
}

void Roster::waits(Id id, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const auto guest = guests_.find(id);
  if (guest == guests_.end() || guest->second.waits_since) return;
  guest->second.waits_since = now_ms;
  sources_[guest->second.source].waiting.emplace(now_ms, id);
}

void Roster::works(Id id) {
  const std::lock_guard lock(mutex_);
  const auto guest = guests_.find(id);
  if (guest == guests_.end() || !guest->second.waits_since) return;
  sources_[guest->second.source].waiting.erase({*guest->second.waits_since, id});
  guest->second.waits_since.reset();
}

std::size_t Roster::size() const {
  const std::lock_guard lock(mutex_);
  return guests_.size();
}

}  // namespace vigil::aggregator::door
