// All shards, and the way for other threads to ask them something.
#pragma once

#include "aggregator/head/host_directory.h"
#include "aggregator/head/shard.h"
#include "common/error.h"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::aggregator {

class ShardSet {
 public:
  /// `history` may be null; it outlives the shards.
  ShardSet(std::size_t count, const ShardOptions& options, History* history);

  std::size_t size() const { return shards_.size(); }
  Shard& at(std::size_t index) { return *shards_[index]; }
  Shard& of(std::string_view host_name) { return *shards_[directory_.shard_of(host_name)]; }
  HostDirectory& directory() { return directory_; }

  /// Runs `ask` on every shard's thread and gives the answers, in order of the shards. Not from a shard's own
  /// thread. Errc::unavailable when a shard is stopping or does not answer in time; its late answer is
  /// dropped.
  template <class Answer>
  Result<std::vector<Answer>> ask(std::function<Answer(Shard&)> ask,
                                  std::chrono::milliseconds patience = std::chrono::seconds(5));

 private:
  template <class Answer>
  struct Round {
    std::mutex mutex;
    std::condition_variable done;
    std::size_t missing = 0;
    std::vector<Answer> answers;
  };

  HostDirectory directory_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

template <class Answer>
Result<std::vector<Answer>> ShardSet::ask(std::function<Answer(Shard&)> ask,
                                          std::chrono::milliseconds patience) {
  const auto round = std::make_shared<Round<Answer>>();
  round->missing = shards_.size();
  round->answers.resize(shards_.size());
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const bool posted = shards_[i]->worker().post([round, ask, i, shard = shards_[i].get()] {
      Answer answer = ask(*shard);
      const std::lock_guard lock(round->mutex);
      round->answers[i] = std::move(answer);
      if (--round->missing == 0) round->done.notify_all();
    });
    if (!posted) return fail(Errc::unavailable, "the aggregator is busy or stopping");
  }
  std::unique_lock lock(round->mutex);
  if (!round->done.wait_for(lock, patience, [&] { return round->missing == 0; })) {
    return fail(Errc::unavailable, "the aggregator did not answer within {} ms", patience.count());
  }
  return std::move(round->answers);
}

}  // namespace vigil::aggregator
