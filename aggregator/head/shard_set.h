// All shards, and the way for other threads to ask them something.
#pragma once

#include "aggregator/head/host_directory.h"
#include "aggregator/head/shard.h"
#include "common/error.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
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
                                  std::chrono::milliseconds patience = kPatience);

  /// The same, host by host, a few milliseconds at a stretch: however much a question looks at, samples and
  /// rules come in between. The error of a visit ends the question.
  template <class Answer>
  using Visit = std::function<Result<void>(const Host& host, Answer& answer)>;
  template <class Answer>
  Result<std::vector<Answer>> ask_hosts(Visit<Answer> visit, std::chrono::milliseconds patience = kPatience);

  static constexpr std::chrono::milliseconds kPatience{5000};

 private:
  static constexpr std::chrono::milliseconds kStretch{2};

  template <class Answer>
  struct Round {
    std::mutex mutex;
    std::condition_variable done;
    std::size_t missing = 0;
    std::vector<Answer> answers;
    std::optional<Error> failed;
    std::atomic<bool> given_up = false;
  };
  /// A question on its way through the hosts of one shard.
  template <class Answer>
  struct Walk {
    std::shared_ptr<Round<Answer>> round;
    std::size_t index = 0;  // of the shard
    Shard* shard = nullptr;
    Visit<Answer> visit;
    std::vector<HostId> hosts;
    std::size_t next = 0;
    Answer answer{};
  };
  template <class Answer>
  static void begin(const std::shared_ptr<Walk<Answer>>& walk);
  template <class Answer>
  static void walk_on(const std::shared_ptr<Walk<Answer>>& walk);
  template <class Answer>
  static void settle(Round<Answer>& round, std::size_t index, Answer answer);
  template <class Answer>
  static void give_up(Round<Answer>& round, const Error& why);
  template <class Answer>
  static Result<std::vector<Answer>> wait(Round<Answer>& round, std::chrono::milliseconds patience);

  HostDirectory directory_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

template <class Answer>
void ShardSet::settle(Round<Answer>& round, std::size_t index, Answer answer) {
  const std::lock_guard lock(round.mutex);
  round.answers[index] = std::move(answer);
  if (--round.missing == 0) round.done.notify_all();
}

template <class Answer>
void ShardSet::give_up(Round<Answer>& round, const Error& why) {
  const std::lock_guard lock(round.mutex);
  if (!round.failed) round.failed = why;
  round.given_up = true;
  round.done.notify_all();
}

template <class Answer>
Result<std::vector<Answer>> ShardSet::wait(Round<Answer>& round, std::chrono::milliseconds patience) {
  std::unique_lock lock(round.mutex);
  if (!round.done.wait_for(lock, patience, [&] { return round.missing == 0 || round.given_up; })) {
    round.given_up = true;
    return fail(Errc::unavailable, "the aggregator did not answer within {} ms", patience.count());
  }
  if (round.failed) return *round.failed;
  if (round.given_up) return fail(Errc::unavailable, "the aggregator is busy or stopping");
  return std::move(round.answers);
}

template <class Answer>
Result<std::vector<Answer>> ShardSet::ask(std::function<Answer(Shard&)> ask,
                                          std::chrono::milliseconds patience) {
  const auto round = std::make_shared<Round<Answer>>();
  round->missing = shards_.size();
  round->answers.resize(shards_.size());
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const bool posted = shards_[i]->worker().post(
        [round, ask, i, shard = shards_[i].get()] { settle(*round, i, ask(*shard)); });
    if (!posted) return fail(Errc::unavailable, "the aggregator is busy or stopping");
  }
  return wait(*round, patience);
}

template <class Answer>
void ShardSet::begin(const std::shared_ptr<Walk<Answer>>& walk) {
  for (const auto& [id, host] : walk->shard->hosts()) walk->hosts.push_back(id);
  walk_on(walk);
}

template <class Answer>
void ShardSet::walk_on(const std::shared_ptr<Walk<Answer>>& walk) {
  if (walk->round->given_up) return;  // nobody waits for the answer
  const auto until = std::chrono::steady_clock::now() + kStretch;
  do {
    if (walk->next == walk->hosts.size()) return settle(*walk->round, walk->index, std::move(walk->answer));
    const Host* host = walk->shard->find(walk->hosts[walk->next++]);
    if (host == nullptr) continue;  // forgotten meanwhile
    if (const auto visited = walk->visit(*host, walk->answer); !visited)
      return give_up(*walk->round, visited.error());
  } while (std::chrono::steady_clock::now() < until);
  if (walk->shard->worker().post([walk] { walk_on(walk); })) return;
  give_up(*walk->round, fail(Errc::unavailable, "the aggregator is busy or stopping"));
}

template <class Answer>
Result<std::vector<Answer>> ShardSet::ask_hosts(Visit<Answer> visit, std::chrono::milliseconds patience) {
  const auto round = std::make_shared<Round<Answer>>();
  round->missing = shards_.size();
  round->answers.resize(shards_.size());
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const auto walk = std::make_shared<Walk<Answer>>();
    walk->round = round;
    walk->index = i;
    walk->shard = shards_[i].get();
    walk->visit = visit;
    if (!walk->shard->worker().post([walk] { begin(walk); })) {
      round->given_up = true;
      return fail(Errc::unavailable, "the aggregator is busy or stopping");
    }
  }
  return wait(*round, patience);
}

}  // namespace vigil::aggregator
