#include "agent/docker_reader/server.h"

#include "agent/docker_reader/reduced.h"
#include "common/log/log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>
#include <vector>

namespace vigil::agent::docker {
namespace {

std::string reply(std::string_view status, std::string_view type, std::string_view body) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                     status, type, body.size(), body);
}

std::string reply_in_words(std::string_view status, std::string_view words) {
  return reply(status, "text/plain", fmt::format("{}\n", words));
}

/// What the agent reads of an engine that failed: unix_http.cpp turns it into the same error again.
std::string reply_to(const Error& error, const std::string& engine) {
  if (::access(engine.c_str(), F_OK) != 0 && errno == ENOENT)
    return reply_in_words("503 Service Unavailable", "no engine at " + engine);
  switch (error.code) {
    case Errc::not_found:
      return reply_in_words("404 Not Found", error.message);
    case Errc::timeout:
      return reply_in_words("504 Gateway Timeout", error.message);
    default:
      return reply_in_words("502 Bad Gateway", error.message);
  }
}

}  // namespace

Server::Server(int listener, ServerOptions options)
    : listener_(listener),
      options_(std::move(options)),
      engine_{options_.engine, options_.limits, &stop_},
      idle_since_(Clock::now()) {
  // Several threads wait for it: whoever comes too late must not block in accept(2).
  ::fcntl(listener_, F_SETFL, ::fcntl(listener_, F_GETFL) | O_NONBLOCK);
}

std::uint64_t Server::answered() const {
  const std::lock_guard lock(mutex_);
  return answered_;
}

void Server::run(int stop) {
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < kMostPeers; ++i) {
    workers.emplace_back([this] { work(); });
    pthread_setname_np(workers.back().native_handle(), "peer");
  }
  const auto pause = std::max<std::int64_t>(options_.idle.count() / 10, 1);
  pollfd waiting{stop, POLLIN, 0};
  while (::poll(&waiting, 1, static_cast<int>(pause)) <= 0 && !close_when_idle()) {
  }
  stop_.request();
  for (std::thread& worker : workers) worker.join();
}

bool Server::close_when_idle() {
  const std::lock_guard lock(mutex_);
  // From here on nobody accepts: who connects now waits in the socket, for which systemd starts us anew.
  closed_ = peers_ == 0 && Clock::now() - idle_since_ >= options_.idle;
  return closed_;
}

void Server::work() {
  while (!stop_.requested()) {
    std::array<pollfd, 2> waiting = {pollfd{listener_, POLLIN, 0}, pollfd{stop_.descriptor(), POLLIN, 0}};
    if (::poll(waiting.data(), waiting.size(), -1) <= 0 || waiting[0].revents == 0) continue;
    const int fd = accept();
    if (fd < 0) {
      // Another thread was faster, or descriptors are short: nobody spins about it.
      stop_.wait_until(Clock::now() + std::chrono::milliseconds(1));
      continue;
    }
    {
      Peer peer(fd, stop_);
      serve(peer);
    }
    release();
  }
}

int Server::accept() {
  const std::lock_guard lock(mutex_);
  if (closed_) return -1;
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) ++peers_;
  return fd;
}

void Server::release() {
  const std::lock_guard lock(mutex_);
  --peers_;
  idle_since_ = Clock::now();
}

void Server::serve(Peer& peer) {
  const auto request = peer.receive_head(kMostHeadBytes, Clock::now() + options_.patience);
  if (!request) return;  // it asked nothing
  const auto question = read_question(*request);
  if (!question) return refuse(peer, question.error());
  if (question->kind == Kind::events) {
    stream(peer, *question);
  } else {
    answer(peer, *question);
  }
}

void Server::refuse(Peer& peer, const Error& why) {
  const auto now = Clock::now();
  if (const auto since = refusals_.note(now))
    log::warn("docker-reader", "refused", {{"why", why}, {"since_last_line", *since}, {"total", refused()}});
  (void)peer.send(reply_in_words("403 Forbidden", why.message), now + options_.patience);
}

Result<std::string> Server::ask(const Question& question) {
  const auto text = http_get(engine_, question.target);
  if (!text) return text.error();
  return reduced(question.kind, *text);
}

void Server::answer(Peer& peer, const Question& question) {
  const std::lock_guard one_answer(asking_);
  const auto text = ask(question);
  const std::string bytes =
      text ? reply("200 OK", "application/json", *text) : reply_to(text.error(), options_.engine);
  if (!peer.send(bytes, Clock::now() + options_.patience) || !text) return;
  const std::lock_guard lock(mutex_);
  ++answered_;
}

void Server::stream(Peer& peer, const Question& question) {
  const auto patience = [this] { return Clock::now() + options_.patience; };
  auto lines = HttpLines::open(engine_, question.target);
  if (!lines) return (void)peer.send(reply_to(lines.error(), options_.engine), patience());
  // Its end is the connection's: nobody knows its length.
  constexpr std::string_view kHead =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
  if (!peer.send(kHead, patience())) return;
  while (peer.is_waiting()) {
    const auto line = lines->next(Clock::now() + options_.look);
    if (!line || stop_.requested()) return;
    if (!*line) continue;
    const auto event = reduced(Kind::events, **line);
    if (!event || !peer.send(*event + "\n", patience())) return;
  }
}

}  // namespace vigil::agent::docker
