#include "aggregator/watchdog.h"

#include "common/log/log.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

std::int64_t whole_seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

bool Watchdog::check(Time now) {
  stalled_.resize(workers_.size());
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const auto busy = workers_[i]->busy_for(now);
    const bool stalls = busy > kLimit;
    if (stalls && !stalled_[i]) {
      log::error("watchdog", "a thread does not get on",
                 {{"thread", workers_[i]->name()}, {"seconds", whole_seconds(busy)}});
    } else if (!stalls && stalled_[i]) {
      log::info("watchdog", "the thread gets on again", {{"thread", workers_[i]->name()}});
    }
    stalled_[i] = stalls;
  }
  return std::ranges::none_of(stalled_, [](bool stalls) { return stalls; });
}

std::vector<std::string> Watchdog::complaints(Time now) const {
  std::vector<std::string> out;
  for (const Worker* worker : workers_) {
    const auto busy = worker->busy_for(now);
    if (busy > kLimit)
      out.push_back(
          fmt::format("{} has been busy with one thing for {} s", worker->name(), whole_seconds(busy)));
  }
  return out;
}

}  // namespace vigil::aggregator
