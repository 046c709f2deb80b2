#include "aggregator/ingest/pending_writes.h"

#include <vector>

namespace vigil::aggregator {
namespace {

LocalWritten failed(const Error& error) {
  LocalWritten written;
  written.failed = error;
  return written;
}

}  // namespace

void PendingWrites::add(HostId host, std::uint64_t seq, LocalDone done, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  pending_[{host, seq}] = {std::move(done), now_ms, false, {}};
}

// Whoever waits is called without the lock: it may write again.
void PendingWrites::settle(HostId host, std::uint64_t seq, LocalWritten written) {
  LocalDone done;
  {
    const std::lock_guard lock(mutex_);
    const auto at = pending_.find({host, seq});
    if (at == pending_.end()) return;
    if (!at->second.durable) {
      at->second.written = std::move(written);
      return;
    }
    done = std::move(at->second.done);
    pending_.erase(at);
  }
  done(written);
}

void PendingWrites::fail(HostId host, std::uint64_t seq, const Error& error) {
  LocalDone done;
  {
    const std::lock_guard lock(mutex_);
    const auto at = pending_.find({host, seq});
    if (at == pending_.end()) return;
    done = std::move(at->second.done);
    pending_.erase(at);
  }
  done(failed(error));
}

void PendingWrites::durable(std::span<const DurableBatch> batches) {
  std::vector<Pending> over;
  {
    const std::lock_guard lock(mutex_);
    for (const DurableBatch& batch : batches) {
      if (batch.stream != stream_) continue;
      const auto at = pending_.find({batch.host, batch.seq});
      if (at == pending_.end()) continue;
      at->second.durable = true;
      if (!at->second.written) continue;  // its shard is about to say
      over.push_back(std::move(at->second));
      pending_.erase(at);
    }
  }
  for (const Pending& each : over) each.done(*each.written);
}

void PendingWrites::give_up(std::int64_t now_ms) {
  std::vector<LocalDone> late;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(pending_, [&](auto& entry) {
      if (now_ms - entry.second.since_ms < kPatienceMs) return false;
      late.push_back(std::move(entry.second.done));
      return true;
    });
  }
  const LocalWritten answer =
      failed({Errc::unavailable, "nothing became durable for 20 s: is the disk slow or full?"});
  for (const LocalDone& done : late) done(answer);
}

}  // namespace vigil::aggregator
