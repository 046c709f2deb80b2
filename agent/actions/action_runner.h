// Runs the actions an aggregator asks for, one after the other. Its thread begins with the first of them: an
// agent that is never asked pays nothing.
#pragma once

#include "vigil/v1/ingest.pb.h"

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace vigil::agent {

class ActionRunner {
 public:
  /// `list`: path of the allow-list; "": there is none. `answer` is called on the runner's thread, or
  /// take()'s.
  ActionRunner(std::string list, std::function<void(v1::ActionResult)> answer, uid_t owner = 0);
  ~ActionRunner() { stop(); }
  ActionRunner(const ActionRunner&) = delete;

  /// Any thread. Each id is run once, whatever is sent again; more than a few that wait are refused.
  void take(const v1::ActionRequest& request);
  /// Any thread: another path of the allow-list, for what is run from now on.
  void set_list(std::string list);
  /// What runs is killed, and answered as unknown; what waits is refused. Nothing is taken any more.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    v1::ActionRequest request;
    Clock::time_point since;
  };
  void loop();
  v1::ActionResult run(const v1::ActionRequest& request);
  std::string list();

  const std::function<void(v1::ActionResult)> answer_;
  const uid_t owner_;
  std::atomic<bool> stopping_ = false;

  std::mutex mutex_;  // protects what follows
  std::string list_;
  std::condition_variable more_;
  std::deque<Waiting> waiting_;
  std::deque<std::string> seen_;  // ids, the oldest first
  std::thread thread_;
};

}  // namespace vigil::agent
