#include "aggregator/alerts/inbox.h"

namespace vigil::alerts {

bool Inbox::put(rules::Evaluation evaluation) {
  const std::lock_guard lock(mutex_);
  const auto [place, fresh] = places_.try_emplace({evaluation.rule.get(), evaluation.scope}, waiting_.size());
  if (!fresh && waiting_.size() >= crowd_) {
    waiting_[place->second] = std::move(evaluation);
    ++superseded_;
    return false;
  }
  place->second = waiting_.size();
  const bool first = waiting_.empty();
  waiting_.push_back(std::move(evaluation));
  return first;
}

std::vector<rules::Evaluation> Inbox::take() {
  const std::lock_guard lock(mutex_);
  places_.clear();
  return std::exchange(waiting_, {});
}

std::uint64_t Inbox::superseded() const {
  const std::lock_guard lock(mutex_);
  return superseded_;
}

}  // namespace vigil::alerts
