#include "aggregator/remote_write/senders.h"

#include <algorithm>

namespace vigil::aggregator::remote_write {

class Senders::Quota final : public NewSeriesQuota {
 public:
  explicit Quota(double per_minute) : rate_{per_minute / 60, per_minute} {}
  bool take(std::int64_t now_ms) override {
    const std::lock_guard lock(mutex_);
    return allowance_.take(rate_, now_ms);
  }
  bool has_room(std::int64_t now_ms) override {
    const std::lock_guard lock(mutex_);
    return allowance_.left(rate_, now_ms) >= 1;
  }

 private:
  const AllowanceRate rate_;
  std::mutex mutex_;
  Allowance allowance_;
};

Senders::Admitted Senders::admit(const std::string& address, std::size_t samples, std::int64_t now_ms) {
  constexpr double kBurstSeconds = 10;
  const AllowanceRate rate{limits_.samples_per_second, kBurstSeconds * limits_.samples_per_second};
  const std::lock_guard lock(mutex_);
  if (senders_.size() >= kMost && !senders_.contains(address)) forget_old(now_ms);
  Sender& sender = senders_[address];
  if (!sender.quota) sender.quota = std::make_shared<Quota>(limits_.new_series_per_minute);
  sender.heard_ms = now_ms;
  const double left = sender.samples.left(rate, now_ms);
  if (left < 0) return {sender.quota, static_cast<std::int64_t>(-left / rate.per_second * 1000) + 1};
  sender.samples.spend(static_cast<double>(samples));
  return {sender.quota, std::nullopt};
}

void Senders::forget_old(std::int64_t now_ms) {
  std::erase_if(senders_, [&](const auto& each) { return now_ms - each.second.heard_ms > kForgottenMs; });
  if (senders_.size() < kMost) return;
  const auto oldest = std::ranges::min_element(
      senders_, [](const auto& a, const auto& b) { return a.second.heard_ms < b.second.heard_ms; });
  senders_.erase(oldest);
}

std::size_t Senders::size() const {
  const std::lock_guard lock(mutex_);
  return senders_.size();
}

}  // namespace vigil::aggregator::remote_write
