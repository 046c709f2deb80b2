#include "aggregator/head/host_directory.h"

#include "aggregator/store/history.h"

#include <functional>

namespace vigil::aggregator {

std::size_t HostDirectory::shard_of(std::string_view name) const {
  return std::hash<std::string_view>{}(name) % shards_;
}

std::size_t HostDirectory::shard_of(HostId id) const {
  const std::lock_guard lock(mutex_);
  return id < shard_of_id_.size() ? shard_of_id_[id] : 0;
}

Result<HostId> HostDirectory::enroll(HostRecord record) {
  const std::lock_guard lock(mutex_);
  if (shard_of_id_.size() >= kMaxHosts)
    return fail(Errc::limit, "{} hosts are known already, no more are taken", kMaxHosts);
  record.id = static_cast<HostId>(shard_of_id_.size());
  const HostId id = record.id;
  const auto shard = static_cast<std::uint16_t>(shard_of(std::string_view(record.name)));
  if (history_ != nullptr) {
    if (auto stored = history_->put_host(std::move(record)); !stored) return stored.error();
  }
  shard_of_id_.push_back(shard);
  return id;
}

void HostDirectory::restore(const HostRecord& record) {
  const std::lock_guard lock(mutex_);
  shard_of_id_.push_back(static_cast<std::uint16_t>(shard_of(std::string_view(record.name))));
}

}  // namespace vigil::aggregator
