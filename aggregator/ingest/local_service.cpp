#include "aggregator/ingest/local_service.h"

#include "aggregator/store/history.h"

#include <random>
#include <utility>

namespace vigil::aggregator {
namespace {

/// A new one with each start, as an agent's buffer has.
StreamId make_stream() {
  StreamId stream{};
  std::random_device random;
  for (std::uint8_t& byte : stream) byte = static_cast<std::uint8_t>(random());
  return stream;
}

void refuse(const LocalDone& done, Error error) {
  LocalWritten written;
  written.failed = std::move(error);
  done(written);
}

}  // namespace

LocalService::LocalService(ShardSet& shards, std::function<std::int64_t()> now_ms, IngestCounters* counters)
    : shards_(shards), now_ms_(std::move(now_ms)), pending_(make_stream()) {
  for (std::size_t i = 0; i < shards.size(); ++i)
    intakes_.push_back(std::make_unique<LocalIntake>(shards.at(i), pending_, counters));
}

void LocalService::write(LocalWrite write, LocalDone done) {
  if (kind_of(write.host) == HostKind::agent)
    return refuse(done, fail(Errc::invalid_argument, "'{}' is the name of an agent", write.host));
  const std::size_t index = shards_.directory().shard_of(std::string_view(write.host));
  Shard& shard = shards_.at(index);
  if (const History* history = shard.history()) {
    const HistoryHealth health = history->health();
    if (health.state != HistoryState::ok) return refuse(done, {Errc::unavailable, health.message});
  }
  auto task = std::make_shared<std::pair<LocalWrite, LocalDone>>(std::move(write), std::move(done));
  const bool posted = shard.worker().post(
      [this, index, task] { intakes_[index]->write(task->first, std::move(task->second), now_ms_()); });
  if (!posted) refuse(task->second, {Errc::unavailable, "busy or stopping"});
}

}  // namespace vigil::aggregator
