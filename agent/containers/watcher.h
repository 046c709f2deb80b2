// Follows one container runtime over its socket, on a thread of its own: whatever the daemon does (absent,
// hung, talking garbage), nobody else waits for it. Readers take the latest published view, which is
// immutable.
//
// A session: version, event stream (from where the last one ended), listing, inspection of what changed; then
// events as they come, a refresh `debounce` after the first of a burst, and a listing every `relist`. Any
// failure ends the session; the next one begins after a back-off. One container whose inspection hangs (a
// known way for Docker to be half dead) costs only its own details.
#pragma once

#include "agent/containers/container.h"
#include "agent/containers/roster.h"
#include "agent/containers/unix_http.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace vigil::agent {

struct WatcherOptions {
  std::string runtime;  // "docker" or "podman": what it is called until it says so itself
  std::string socket_path;
  bool configured = false;  // the socket was named by hand: that it is missing is trouble, too
  HttpLimits limits;
  std::chrono::milliseconds relist = std::chrono::seconds(30);
  std::chrono::milliseconds ping =
      std::chrono::seconds(10);  // a silent daemon is noticed after this and the deadline
  std::chrono::milliseconds debounce{150};
  std::chrono::milliseconds backoff_first = std::chrono::seconds(1);
  std::chrono::milliseconds backoff_most = std::chrono::seconds(30);
};

class Watcher {
 public:
  explicit Watcher(WatcherOptions options);
  /// Stops promptly, whatever it is waiting for.
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  std::shared_ptr<const RuntimeView> view() const;
  /// Waits for the end of the first listing or the first failure, at most `longest`.
  void wait_for_first(std::chrono::milliseconds longest) const;

 private:
  using Clock = std::chrono::steady_clock;
  void run();
  Result<void> session();
  Result<void> greet();
  Result<HttpLines> open_events() const;
  Result<void> follow(HttpLines& events);
  Result<void> ping() const;
  Result<void> refresh();
  Result<void> list();
  void inspect_changed();
  void take(std::string_view line);
  void publish();

  const WatcherOptions options_;
  StopSignal stop_;
  const HttpPeer peer_;

  // The thread's own.
  Roster roster_;
  RuntimeView status_;  // without containers
  std::string api_prefix_;
  std::int64_t last_event_ns_ = 0;
  Clock::time_point next_list_{};

  mutable std::mutex mutex_;  // protects what follows
  mutable std::condition_variable first_done_;
  std::shared_ptr<const RuntimeView> view_;
  bool first_ended_ = false;

  std::thread thread_;  // last: everything else exists when it starts
};

}  // namespace vigil::agent
