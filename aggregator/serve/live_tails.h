// Live tails: the values of expressions again and again, each until its client goes. So that any number of
// them leaves room for questions, only a few are evaluated at a time, each at most a quarter of the time, on
// the query threads; a client that does not read gets fewer updates. There are no queues.
#pragma once

#include "aggregator/serve/query_engine.h"
#include "vigil/v1/query.pb.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

namespace vigil::aggregator {

struct TailLimits {
  std::size_t tails = 64;
  std::size_t running = 1;      // evaluations at a time, of all tails together
  std::size_t series = 10'000;  // of one update
};

/// Any thread may call anything. Outlives the gRPC server, which ends the calls.
class LiveTails {
 public:
  using Clock = std::chrono::steady_clock;

  struct Clocks {
    std::function<std::int64_t()> now_ms;                    // at which expressions are evaluated
    std::function<Clock::time_point()> steady = Clock::now;  // for intervals
  };
  /// `engine` outlives this.
  LiveTails(QueryEngine& engine, Clocks clocks, TailLimits limits = {});
  ~LiveTails();

  /// What gRPC is given for a call; it is its own until it is done. Refusals are its end.
  grpc::ServerWriteReactor<v1::WatchUpdate>* open(const v1::WatchRequest& request);
  /// Starts what is due: several times a second.
  void tick();
  /// Ends all of them, and takes no more.
  void stop();

  std::size_t size() const;

 private:
  class Tail;
  grpc::Status admit(const v1::WatchRequest& request, Tail& tail);
  std::vector<Tail*> take_due(Clock::time_point now);
  void evaluate(Tail& tail);
  v1::WatchUpdate update_of(const Tail& tail) const;
  void written(Tail& tail, bool well);
  void leave(Tail& tail, const grpc::Status& status);
  void rest(Tail& tail);
  void remove(const Tail& tail);

  QueryEngine& engine_;
  const Clocks clocks_;
  const TailLimits limits_;

  mutable std::mutex mutex_;                // protects what follows, and the state of each tail
  std::list<std::unique_ptr<Tail>> tails_;  // the next in turn first
  std::size_t running_ = 0;
  bool stopping_ = false;
};

}  // namespace vigil::aggregator
