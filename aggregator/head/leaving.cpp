#include "aggregator/head/leaving.h"

#include "aggregator/store/history.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

constexpr std::int64_t kLookAgainMs = 3'600'000;

}  // namespace

void Leaving::tick(const Hosts& hosts, std::int64_t now_ms) {
  if (history_ == nullptr) return;
  if (!asked_) {
    if (now_ms >= not_before_ms_ || not_before_ms_ - now_ms > kLookAgainMs) ask(hosts);
    return;
  }
  if (!asked_->answered) return;
  if (asked_->failed) {
    not_before_ms_ = now_ms + kLookAgainMs;
    for (const auto& [id, host] : hosts) host->retirements_seen = 0;
  }
  std::size_t room = kMostAtOnce;
  for (; host_ < asked_->hosts.size(); ++host_, next_ = left_ = 0) {
    const auto host = hosts.find(asked_->hosts[host_].host);
    if (host == hosts.end()) continue;  // forgotten meanwhile
    room -= let_go(*host->second, room);
    if (next_ < asked_->hosts[host_].series.size()) return;
  }
  asked_.reset();
}

void Leaving::ask(const Hosts& hosts) {
  const std::uint64_t retirements = history_->retirements();
  std::vector<HostId> some;
  for (const auto& [id, host] : hosts) {
    if (host->retirements_seen == retirements) continue;
    host->retirements_seen = retirements;
    host->head.begin_round();
    some.push_back(id);
    if (some.size() == kHostsAtOnce) break;
  }
  if (some.empty()) return;
  host_ = next_ = left_ = 0;
  asked_ = history_->ask_unused(std::move(some));
}

/// How many were looked at.
std::size_t Leaving::let_go(Host& host, std::size_t most) {
  const std::vector<SeriesId>& unused = asked_->hosts[host_].series;
  const std::size_t count = std::min(most, unused.size() - next_);
  SeriesRegistry& registry = host.head.registry();
  std::vector<SeriesId> leaving;
  std::ranges::copy_if(std::span(unused).subspan(next_, count), std::back_inserter(leaving),
                       [&](SeriesId id) { return registry.unused(id); });
  next_ += count;
  if (!leaving.empty()) {
    registry.remove(leaving);
    for (const SeriesId id : leaving) host.pushed.erase(id);
    directory_.give_back_series(leaving.size());
    left_ += leaving.size();
    if (auto dropped = history_->drop_series(host.record.id, leaving); !dropped)
      log::error("store", "cannot drop series", {{"host", host.record.name}, {"error", dropped.error()}});
  }
  if (next_ == unused.size() && left_ > 0) {
    log::info("fleet", "series without data have left",
              {{"host", host.record.name}, {"series", left_}, {"known", registry.size()}});
  }
  return count;
}

}  // namespace vigil::aggregator
