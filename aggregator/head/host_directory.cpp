#include "aggregator/head/host_directory.h"

#include "aggregator/head/host_kind.h"
#include "aggregator/store/history.h"
#include "common/log/log.h"
#include "common/text/human.h"

#include <algorithm>
#include <functional>

namespace vigil::aggregator {
namespace {

AllowanceRate rate_of(const EnrolLimits& limits) {
  return {limits.max_new_a_minute / 60.0, 2.0 * limits.max_new_a_minute};
}

bool takes_a_place(const HostRecord& record) {
  return record.name != kOwnHost;
}

}  // namespace

HostDirectory::HostDirectory(History* history, std::size_t shards, const EnrolLimits& limits)
    : history_(history), shards_(shards), limits_(limits) {}

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

Result<void> HostDirectory::admit_locked(double allowed) const {
  if (hosts_ >= limits_.max_hosts) {
    return fail(Errc::limit,
                "{} {} known already, ingest.max_hosts: raise it, or remove some with vigil forget",
                counted(hosts_, "host"), hosts_ == 1 ? "is" : "are");
  }
  if (allowed < 1) {
    return fail(Errc::limit, "new hosts come faster than {} a minute, ingest.max_new_hosts: try again later",
                limits_.max_new_a_minute);
  }
  return {};
}

Result<HostId> HostDirectory::enroll(HostRecord record, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (!takes_a_place(record)) return put_locked(std::move(record));
  const bool pushed = kind_of(record.name) != HostKind::agent;
  if (pushed) {
    if (auto admitted = admit_pushed_locked(now_ms); !admitted) return admitted.error();
  }
  const double allowed = pushed ? limits_.max_new_a_minute : new_hosts_.left(rate_of(limits_), now_ms);
  if (auto admitted = admit_locked(allowed); !admitted) {
    if (refused_++ == 0) log::warn("fleet", "new hosts are refused", {{"error", admitted.error()}});
    return admitted.error();
  }
  // At the limit every second one is taken: it is over once there is room for a minute's worth.
  if (refused_ > 0 && allowed >= limits_.max_new_a_minute)
    log::info("fleet", "new hosts are taken again", {{"refused", std::exchange(refused_, 0)}});
  auto id = put_locked(std::move(record));
  if (!id) return id;
  ++hosts_;
  if (pushed) ++pushed_hosts_;
  (pushed ? new_pushed_hosts_ : new_hosts_).spend(1);
  return id;
}

Result<HostId> HostDirectory::put_locked(HostRecord record) {
  record.id = static_cast<HostId>(shard_of_id_.size());
  const HostId id = record.id;
  const auto shard = static_cast<std::uint16_t>(shard_of(std::string_view(record.name)));
  if (history_ != nullptr) {
    if (auto stored = history_->put_host(std::move(record)); !stored) return stored.error();
  }
  shard_of_id_.push_back(shard);
  return id;
}

Result<void> HostDirectory::admit_pushed_locked(std::int64_t now_ms) {
  if (pushed_hosts_ >= limits_.max_pushed_hosts)
    return fail(Errc::limit, "{} without an agent {} known already, remote_write.max_hosts",
                counted(pushed_hosts_, "host"), pushed_hosts_ == 1 ? "is" : "are");
  if (new_pushed_hosts_.left(rate_of(limits_), now_ms) < 1)
    return fail(Errc::limit, "new hosts come faster than {} a minute, ingest.max_new_hosts",
                limits_.max_new_a_minute);
  return {};
}

void HostDirectory::restore(const HostRecord& record) {
  const std::lock_guard lock(mutex_);
  shard_of_id_.push_back(static_cast<std::uint16_t>(shard_of(std::string_view(record.name))));
  if (record.removed || !takes_a_place(record)) return;
  ++hosts_;
  if (kind_of(record.name) != HostKind::agent) ++pushed_hosts_;
}

Result<void> HostDirectory::take_series() {
  if (series_ >= limits_.max_total_series) {
    return fail(Errc::limit,
                "{} series of all hosts are running or have data that are kept, ingest.max_total_series: "
                "raise it, shorten "
                "store.raw.retention, store.minute.retention and store.hour.retention, or remove hosts with "
                "vigil forget",
                series_.load());
  }
  ++series_;
  return {};
}

void HostDirectory::forget(const HostRecord& record, std::size_t series) {
  series_ -= series;
  if (!takes_a_place(record)) return;
  const std::lock_guard lock(mutex_);
  --hosts_;
  if (kind_of(record.name) != HostKind::agent) --pushed_hosts_;
}

}  // namespace vigil::aggregator
