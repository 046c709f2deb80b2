#include "agent/delivery/line.h"

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetryVersion{600'000};  // until somebody upgrades
constexpr milliseconds kRetryDuplicate{10'000};
constexpr int kPatienceWithRejections = 3;

}  // namespace

milliseconds Line::wait_after(const End& end) {
  const auto random = [this] { return std::uniform_real_distribution<double>(0, 1)(random_); };
  const milliseconds own = backoff_.next(random());
  const milliseconds spread(static_cast<std::int64_t>(1000 * random()));
  switch (end.kind) {
    case End::Kind::duplicate:
      return end.retry_after.value_or(kRetryDuplicate) + spread;
    case End::Kind::version:
      return end.retry_after.value_or(kRetryVersion) + spread;
    case End::Kind::resend:
    case End::Kind::rejected:
    case End::Kind::away:
      break;
  }
  return end.retry_after ? *end.retry_after + spread : own;
}

bool Line::poisoned(const End& end) {
  if (end.kind != End::Kind::rejected || ++rejections_ < kPatienceWithRejections) return false;
  rejections_ = 0;
  return true;
}

}  // namespace vigil::agent
