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
      of_all_({limits.new_of_all, limits.new_of_all * kBurst, 1}) {}

std::size_t Roster::held_by(const std::string& source) const {
  const auto found = held_.find(source);
  return found == held_.end() ? 0 : found->second;
}

Roster::Guests::iterator Roster::longest_waiting(const std::string& source) {
  auto longest = guests_.end();
  for (auto guest = guests_.begin(); guest != guests_.end(); ++guest) {
    if (guest->second.source != source || !guest->second.waits_since) continue;
    if (longest == guests_.end() || *guest->second.waits_since < *longest->second.waits_since)
      longest = guest;
  }
  return longest;
}

/// Of the source with most connections. Who has no more than the newcomer keeps its second of grace, or a
/// flood of newcomers would let nobody finish his request.
Roster::Guests::iterator Roster::who_makes_room(const std::string& newcomer, std::int64_t now_ms) {
  auto chosen = guests_.end();
  for (auto guest = guests_.begin(); guest != guests_.end(); ++guest) {
    if (!guest->second.waits_since) continue;
    const std::size_t held = held_by(guest->second.source);
    if (held <= held_by(newcomer) + 1 && now_ms - *guest->second.waits_since < kGraceMs) continue;
    if (chosen != guests_.end()) {
      const std::size_t best = held_by(chosen->second.source);
      if (held < best || (held == best && *guest->second.waits_since >= *chosen->second.waits_since))
        continue;
    }
    chosen = guest;
  }
  return chosen;
}

std::optional<Refusal> Roster::make_room(const std::string& source, std::int64_t now_ms,
                                         std::function<void()>& dropped) {
  auto guest = guests_.end();
  if (held_by(source) >= limits_.most_of_source) {
    if (waiting_ > 0) guest = longest_waiting(source);
    if (guest == guests_.end() || now_ms - *guest->second.waits_since < kGraceMs) return Refusal::source;
  } else if (guests_.size() >= limits_.most) {
    if (waiting_ > 0) guest = who_makes_room(source, now_ms);
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
  if (!by_source_.take(source, now_ms) || !of_all_.take("", now_ms)) return Refusal::rate;
  std::function<void()> dropped;
  Id id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (const auto refusal = make_room(source, now_ms, dropped)) return *refusal;
    id = next_++;
    guests_.emplace(id, Guest{source, std::nullopt, std::move(drop)});
    ++held_[source];
  }
  if (dropped) dropped();
  return id;
}

void Roster::erase(Guests::iterator guest) {
  const auto held = held_.find(guest->second.source);
  if (--held->second == 0) held_.erase(held);
  if (guest->second.waits_since) --waiting_;
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
  ++waiting_;
}

void Roster::works(Id id) {
  const std::lock_guard lock(mutex_);
  const auto guest = guests_.find(id);
  if (guest == guests_.end() || !guest->second.waits_since) return;
  guest->second.waits_since.reset();
  --waiting_;
}

std::size_t Roster::size() const {
  const std::lock_guard lock(mutex_);
  return guests_.size();
}

}  // namespace vigil::aggregator::door
