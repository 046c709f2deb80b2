// A container runtime for tests: answers Docker's API on a local socket from a table, and misbehaves on
// request.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace vigil::test {

class FakeRuntime {
 public:
  enum class Manner {
    proper,
    silent,        // accepts and never answers
    garbage,       // answers what is not HTTP
    cut_short,     // promises a body and closes in its middle
    endless_body,  // a body that never ends
    dripping,      // a byte of header now and then
  };

  /// Listens on a socket in `folder`.
  explicit FakeRuntime(const std::string& folder);
  ~FakeRuntime();
  FakeRuntime(const FakeRuntime&) = delete;
  FakeRuntime& operator=(const FakeRuntime&) = delete;

  const std::string& socket_path() const { return path_; }
  /// What GET `path` answers; without "/v1.41" and query. Unknown paths are 404. Chunked when `path` is a
  /// listing.
  void set(std::string path, std::string body, int status = 200);
  void unset(const std::string& path);
  void set_manner(Manner manner) { manner_ = manner; }
  /// Only GETs of this path misbehave.
  void set_silent_path(std::string path);
  /// Sends a line to everybody who listens to events, and to nobody later.
  void send_event(const std::string& line);
  void end_event_streams();
  /// How often `path` was asked for.
  int requests(const std::string& path) const;
  /// The latest request line that began with GET `path`, query included.
  std::string latest_target(const std::string& path) const;
  int event_listeners() const;

 private:
  void accept_all();
  void serve(int fd);
  void answer(int fd, const std::string& target);
  void stream_events(int fd);
  bool wait_for_end(int fd, int timeout_ms) const;

  std::string path_;
  int listener_ = -1;
  int stop_ = -1;  // eventfd, readable at the end
  std::atomic<Manner> manner_ = Manner::proper;

  mutable std::mutex mutex_;  // protects what follows
  std::condition_variable events_changed_;
  std::map<std::string, std::pair<int, std::string>> replies_;
  std::map<std::string, int> requests_;
  std::map<std::string, std::string> latest_targets_;
  std::string silent_path_;
  std::vector<std::string> events_;
  int listeners_ = 0;
  int streams_generation_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> connections_;

  std::thread acceptor_;
};

}  // namespace vigil::test
