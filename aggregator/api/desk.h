// Where requests are worked on, away from HTTP's threads: questions in PromQL on the query engine's, what
// only looks things up on threads of its own, so that it need not wait behind heavy questions.
#pragma once

#include "aggregator/http/responder.h"
#include "aggregator/http/router.h"
#include "aggregator/serve/query_engine.h"

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace vigil::aggregator::api {

/// One request being worked on.
struct Errand {
  const http::Request& request;
  std::chrono::steady_clock::time_point asked_at;  // before it waited in line
  std::function<bool()> is_canceled;               // the client went away
};

/// Gives the answer, on a thread where it may block.
using Work = std::function<http::Response(const Errand&)>;

class Desk {
 public:
  /// `engine` outlives this.
  explicit Desk(QueryEngine& engine);
  ~Desk();
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  /// Takes nothing more and waits for what runs.
  void stop();

  enum class Kind { question, lookup };
  /// A handler that has requests worked on.
  http::LaterHandler handler(Kind kind, Work work);

 private:
  static constexpr std::size_t kThreads = 2;
  static constexpr std::size_t kMostWaiting = 256;
  Result<void> look_up(std::function<void()> task);

  QueryEngine& engine_;
  boost::asio::thread_pool lookups_;
  std::atomic<std::size_t> waiting_ = 0;
  std::atomic<bool> stopping_ = false;
};

}  // namespace vigil::aggregator::api
