#include "aggregator/head/host_directory.h"

#include "aggregator/store/history.h"
#include "common/log/log.h"

#include <algorithm>
#include <functional>

namespace vigil::aggregator {
namespace {

constexpr double kPerMinuteMs = 60'000;

}  // namespace

HostDirectory::HostDirectory(History* history, std::size_t shards, const EnrolLimits& limits)
    : history_(history), shards_(shards), limits_(limits), new_allowed_(2.0 * limits.max_new_a_minute) {}

std::size_t HostDirectory::shard_of(std::string_view name) const {
  return std::hash<std::string_view>{}(name) % shards_;
}

std::size_t HostDirectory::shard_of(HostId id) const {
  const std::lock_guard lock(mutex_);
  return id < shard_of_id_.size() ? shard_of_id_[id] : 0;
}

std::size_t HostDirectory::hosts() const {
  const std::lock_guard lock(mutex_);
  return hosts_;
}

Result<void> HostDirectory::admit_locked(std::int64_t now_ms) {
  if (hosts_ >= limits_.max_hosts) {
    return fail(Errc::limit,
                "{} hosts are known already, ingest.max_hosts: raise it, or remove some with vigil forget",
                hosts_);
  }
  const double rate = limits_.max_new_a_minute;
  const auto elapsed_ms = static_cast<double>(std::max<std::int64_t>(now_ms - allowed_at_ms_, 0));
  new_allowed_ = std::min(2 * rate, new_allowed_ + elapsed_ms * rate / kPerMinuteMs);
  allowed_at_ms_ = now_ms;
  if (new_allowed_ < 1) {
    return fail(Errc::limit, "new hosts come faster than {} a minute, ingest.max_new_hosts: try again later",
                limits_.max_new_a_minute);
  }
  return {};
}

Result<HostId> HostDirectory::enroll(HostRecord record, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(now_ms); !admitted) {
    if (refused_++ == 0) log::warn("fleet", "new hosts are refused", {{"error", admitted.error()}});
    return admitted.error();
  }
  // At the limit every second one is taken: it is over once there is room for a minute's worth.
  if (refused_ > 0 && new_allowed_ >= limits_.max_new_a_minute)
    log::info("fleet", "new hosts are taken again", {{"refused", std::exchange(refused_, 0)}});
  record.id = static_cast<HostId>(shard_of_id_.size());
  const HostId id = record.id;
  const auto shard = static_cast<std::uint16_t>(shard_of(std::string_view(record.name)));
  if (history_ != nullptr) {
    if (auto stored = history_->put_host(std::move(record)); !stored) return stored.error();
  }
  shard_of_id_.push_back(shard);
  ++hosts_;
  --new_allowed_;
  return id;
}

void HostDirectory::restore(const HostRecord& record) {
  const std::lock_guard lock(mutex_);
  shard_of_id_.push_back(static_cast<std::uint16_t>(shard_of(std::string_view(record.name))));
  if (!record.removed) ++hosts_;
}

void HostDirectory::forget() {
  const std::lock_guard lock(mutex_);
  --hosts_;
}

}  // namespace vigil::aggregator
