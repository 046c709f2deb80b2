#include "agent/delivery/spools.h"

#include "common/log/log.h"

#include <algorithm>

namespace vigil::agent {
namespace {

Identity with_stream(Identity identity, const SpoolStream& stream) {
  identity.stream_id = stream.stream_id;
  identity.boot_id = stream.boot_id;
  return identity;
}

}  // namespace

Leftover::Leftover(Identity the_identity, std::unique_ptr<Spool> spool)
    : identity(with_stream(std::move(the_identity), spool->stream())),
      buffer(BufferOptions{}, std::move(spool)) {}

Spools::Spools(SpoolOptions options, const Identity& identity) : options_(std::move(options)) {
  if (!options_.folder.empty()) open(identity);
}

void Spools::open(const Identity& identity) {
  auto disk = open_disk(options_.folder);
  if (!disk) return complain(disk.error());
  disk_ = std::move(*disk);
  auto found = Spool::leftovers(disk_);
  if (!found) return complain(found.error());
  for (auto& spool : *found) {
    log::info("spool", "samples of an earlier run wait for the aggregator",
              {{"first_time_ms", spool->first_time_ms()}, {"bytes", spool->bytes()}});
    leftovers_.emplace_back(identity, std::move(spool));
  }
  current_ = std::make_unique<Spool>(disk_, SpoolStream{identity.stream_id, identity.boot_id});
}

void Spools::complain(const Error& error) {
  if (complained_) return;
  complained_ = true;
  log::warn("spool", "samples wait in memory only: the disk does not take them", {{"error", error}});
}

void Spools::forget_leftover() {
  leftovers_.front().buffer.spool()->clear();
  leftovers_.pop_front();
}

void Spools::forget_empty_leftovers() {
  while (leftover() != nullptr && leftover()->buffer.spool()->empty()) leftovers_.pop_front();
}

std::uint64_t Spools::bytes(const Buffer& buffer) const {
  std::uint64_t sum = buffer.spool() != nullptr ? buffer.spool()->bytes() : 0;
  for (const Leftover& leftover : leftovers_) sum += leftover.buffer.spool()->bytes();
  return sum;
}

std::uint64_t Spools::cap() const {
  const auto space = disk_->space();
  return space ? std::min(options_.max_bytes, space->total / kDiskShare) : options_.max_bytes;
}

void Spools::keep_cap(Buffer& buffer) {
  if (buffer.spool() == nullptr) return;
  if (const auto& error = buffer.spool_error()) {
    complain(*error);
  } else {
    complained_ = false;
  }
  // Asking the file system costs more than writing a batch.
  std::uint64_t now = bytes(buffer);
  if (now <= kSmallestCap) return;
  const std::uint64_t most = cap();
  while (now > most) {
    const bool old = !leftovers_.empty() && !leftovers_.front().buffer.spool()->empty();
    if (old ? !leftovers_.front().buffer.drop_spooled("spool_full") : !buffer.drop_spooled("spool_full"))
      break;
    now = bytes(buffer);
  }
}

void Spools::sync(Buffer& buffer, Time now) {
  Spool* spool = buffer.spool();
  const bool waits = spool != nullptr && spool->unsynced() && spool->last_seq() > buffer.durable_seq();
  if (!waits) return sync_due_.reset();
  if (!sync_due_) sync_due_ = now + kSyncEvery;
  if (now < *sync_due_) return;
  sync_due_ = now + kSyncEvery;
  if (auto synced = spool->sync(); !synced) complain(synced.error());
}

}  // namespace vigil::agent
