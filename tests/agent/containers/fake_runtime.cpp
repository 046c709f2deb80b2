#include "tests/agent/containers/fake_runtime.h"

#include "tests/support/catch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace vigil::test {
namespace {

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string chunk(std::string_view text) {
  return fmt::format("{:x}\r\n{}\r\n", text.size(), text);
}

/// "/v1.41/containers/json?all=1" is "/containers/json".
std::string plain_path(const std::string& target) {
  std::string path = target.substr(0, target.find('?'));
  if (path.starts_with("/v1.")) path.erase(0, path.find('/', 1));
  return path;
}

}  // namespace

FakeRuntime::FakeRuntime(const std::string& folder) : path_(folder + "/runtime.sock") {
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path_.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path_.data(), path_.size());
  REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener_, 64) == 0);
  acceptor_ = std::thread([this] { accept_all(); });
}

FakeRuntime::~FakeRuntime() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_, &one, sizeof one);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    events_changed_.notify_all();
  }
  acceptor_.join();
  for (std::thread& connection : connections_) connection.join();
  ::close(listener_);
  ::close(stop_);
  ::unlink(path_.c_str());
}

void FakeRuntime::set(std::string path, std::string body, int status) {
  const std::lock_guard lock(mutex_);
  replies_[std::move(path)] = {status, std::move(body)};
}

void FakeRuntime::unset(const std::string& path) {
  const std::lock_guard lock(mutex_);
  replies_.erase(path);
}

void FakeRuntime::set_silent_path(std::string path) {
  const std::lock_guard lock(mutex_);
  silent_path_ = std::move(path);
}

void FakeRuntime::send_event(const std::string& line) {
  const std::lock_guard lock(mutex_);
  events_.push_back(line + "\n");
  events_changed_.notify_all();
}

void FakeRuntime::end_event_streams() {
  const std::lock_guard lock(mutex_);
  ++streams_generation_;
  events_changed_.notify_all();
}

int FakeRuntime::requests(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = requests_.find(path);
  return found == requests_.end() ? 0 : found->second;
}

std::string FakeRuntime::latest_target(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = latest_targets_.find(path);
  return found == latest_targets_.end() ? "" : found->second;
}

int FakeRuntime::event_listeners() const {
  const std::lock_guard lock(mutex_);
  return listeners_;
}

void FakeRuntime::accept_all() {
  while (true) {
    pollfd waiting[2] = {{listener_, POLLIN, 0}, {stop_, POLLIN, 0}};
    ::poll(waiting, 2, -1);
    if (waiting[1].revents != 0) return;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const std::lock_guard lock(mutex_);
    connections_.emplace_back([this, fd] {
      serve(fd);
      ::close(fd);
    });
  }
}

/// Until the peer closes or the test ends, at most `timeout_ms`. Whether one of them did.
bool FakeRuntime::wait_for_end(int fd, int timeout_ms) const {
  pollfd waiting[2] = {{fd, POLLRDHUP, 0}, {stop_, POLLIN, 0}};
  return ::poll(waiting, 2, timeout_ms) > 0;
}

void FakeRuntime::serve(int fd) {
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    pollfd waiting[2] = {{fd, POLLIN, 0}, {stop_, POLLIN, 0}};
    ::poll(waiting, 2, -1);
    if (waiting[1].revents != 0) return;
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return;
    request.append(buffer, static_cast<std::size_t>(got));
  }
  const std::string target = request.substr(4, request.find(' ', 4) - 4);
  const std::string path = plain_path(target);
  bool silent = false;
  {
    const std::lock_guard lock(mutex_);
    ++requests_[path];
    latest_targets_[path] = target;
    silent = !silent_path_.empty() && path == silent_path_;
  }
  switch (silent ? Manner::silent : manner_.load()) {
    case Manner::proper:
      answer(fd, target);
      break;
    case Manner::silent:
      wait_for_end(fd, -1);
      break;
    case Manner::garbage:
      send_all(fd, "\x01\x02 SSH-2.0-what\r\n\r\n");
      break;
    case Manner::cut_short:
      send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"Id\":");
      break;
    case Manner::endless_body:
      send_all(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      while (!wait_for_end(fd, 0)) send_all(fd, chunk(std::string(65536, ' ')));
      break;
    case Manner::dripping:
      send_all(fd, "HTTP/1.1 200 OK\r\n");
      while (!wait_for_end(fd, 20)) send_all(fd, "A: b\r\n");
      break;
  }
}

void FakeRuntime::answer(int fd, const std::string& target) {
  const std::string path = plain_path(target);
  if (path == "/events") {
    stream_events(fd);
    return;
  }
  std::pair<int, std::string> reply = {404, R"({"message":"no such thing"})"};
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = replies_.find(path); found != replies_.end()) reply = found->second;
  }
  const auto& [status, body] = reply;
  if (path != "/containers/json") {
    send_all(fd,
             fmt::format("HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                         status, body.size(), body));
    return;
  }
  // In pieces of an odd size, as Go's server may send them.
  std::string text = fmt::format("HTTP/1.1 {} X\r\nTransfer-Encoding: chunked\r\n\r\n", status);
  for (std::size_t at = 0; at < body.size(); at += 777) text += chunk(std::string_view(body).substr(at, 777));
  send_all(fd, text + "0\r\n\r\n");
}

void FakeRuntime::stream_events(int fd) {
  send_all(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::unique_lock lock(mutex_);
  ++listeners_;
  const int generation = streams_generation_;
  std::size_t sent = events_.size();
  while (!stopping_ && streams_generation_ == generation) {
    for (; sent < events_.size(); ++sent) send_all(fd, chunk(events_[sent]));
    events_changed_.wait_for(lock, std::chrono::milliseconds(20));
    if (wait_for_end(fd, 0)) break;
  }
  --listeners_;
}

}  // namespace vigil::test
