// Servers of a few lines that listen on loopback and do what a test tells them: one for HTTP, one for SMTP.
#pragma once

#include "tests/support/catch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace vigil::test {

/// Accepts connections one after the other on a port of its own and hands each to `serve`.
class Listener {
 public:
  explicit Listener(std::function<void(int)> serve) : serve_(std::move(serve)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::listen(fd_, 16);
    socklen_t length = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Listener() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (connection_ >= 0) ::shutdown(connection_, SHUT_RDWR);
    }
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  int port() const { return port_; }

 private:
  void run() {
    while (true) {
      const int connection = ::accept(fd_, nullptr, nullptr);
      if (connection < 0) return;
      {
        const std::lock_guard lock(mutex_);
        connection_ = stopping_ ? -1 : connection;
      }
      if (connection_ >= 0) serve_(connection);
      const std::lock_guard lock(mutex_);
      connection_ = -1;
      ::close(connection);
    }
  }

  const std::function<void(int)> serve_;
  int fd_ = -1;
  int port_ = 0;
  std::thread thread_;
  std::mutex mutex_;  // protects what follows
  int connection_ = -1;
  bool stopping_ = false;
};

/// Reads from a connection by lines and by bytes.
class Wire {
 public:
  explicit Wire(int fd) : fd_(fd) {}
  /// Without the end of the line; false at the end of the connection.
  bool line(std::string& out) {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      if (!fill()) return false;
    }
    out = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return true;
  }
  bool bytes(std::size_t count, std::string& out) {
    while (buffer_.size() < count) {
      if (!fill()) return false;
    }
    out = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return true;
  }
  void say(const std::string& text) {
    static_cast<void>(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL));
  }

 private:
  bool fill() {
    char chunk[4096];
    const ssize_t got = ::recv(fd_, chunk, sizeof chunk, 0);
    if (got > 0) buffer_.append(chunk, static_cast<std::size_t>(got));
    return got > 0;
  }
  int fd_;
  std::string buffer_;
};

/// Keeps what arrived, for the test's thread to wait for.
template <class T>
class Inbox {
 public:
  void put(T item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    changed_.notify_all();
  }
  /// The items once there are `count`, or what there is after ten seconds.
  std::vector<T> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return items_.size() >= count; });
    return items_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<T> items_;
};

struct HttpRequest {
  std::string head;  // request line and headers
  std::string body;
  std::chrono::steady_clock::time_point at;
};

/// Answers request number n with answers[n], then with the last; an empty answer closes the connection,
/// "hang" never answers.
class HttpSink {
 public:
  explicit HttpSink(std::vector<std::string> answers)
      : answers_(std::move(answers)), listener_([this](int fd) { serve(fd); }) {}
  std::string url() const { return "http://127.0.0.1:" + std::to_string(listener_.port()) + "/hook"; }
  std::vector<HttpRequest> wait_for(std::size_t count) { return inbox_.wait_for(count); }

  static std::string answer(const std::string& status, const std::string& headers = "",
                            const std::string& body = "ok") {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers +
           "\r\n" + body;
  }

 private:
  void serve(int fd) {
    Wire wire(fd);
    std::string line;
    while (wire.line(line)) {
      HttpRequest request;
      std::size_t length = 0;
      request.head = line + "\n";
      while (wire.line(line) && !line.empty()) {
        request.head += line + "\n";
        if (line.rfind("Content-Length: ", 0) == 0) length = std::stoul(line.substr(16));
      }
      if (!wire.bytes(length, request.body)) return;
      request.at = std::chrono::steady_clock::now();
      const std::string answer = answers_[std::min(count_++, answers_.size() - 1)];
      inbox_.put(std::move(request));
      if (answer.empty()) return;
      if (answer != "hang") wire.say(answer);
    }
  }

  const std::vector<std::string> answers_;
  std::size_t count_ = 0;  // the listener's thread
  Inbox<HttpRequest> inbox_;
  Listener listener_;
};

struct Mail {
  std::string login;  // as sent with AUTH PLAIN
  std::string from;
  std::vector<std::string> to;
  std::string data;  // dot-stuffing undone
};

/// Takes mail without TLS. Mail number n is answered with data_answers[n], then with the last; recipients
/// that contain `bad_recipient` are refused.
class SmtpSink {
 public:
  /// At the command `hang_at` it says nothing any more; at STARTTLS it says "go on" before.
  explicit SmtpSink(std::vector<std::string> data_answers = {"250 ok"}, std::string bad_recipient = "",
                    std::string hang_at = "")
      : data_answers_(std::move(data_answers)),
        bad_recipient_(std::move(bad_recipient)),
        hang_at_(std::move(hang_at)),
        listener_([this](int fd) { serve(fd); }) {}
  std::string address() const { return "127.0.0.1:" + std::to_string(listener_.port()); }
  std::vector<Mail> wait_for(std::size_t count) { return inbox_.wait_for(count); }

 private:
  void serve(int fd) {
    Wire wire(fd);
    wire.say("220 sink ESMTP\r\n");
    std::string line;
    Mail mail;
    while (wire.line(line)) {
      if (!hang_at_.empty() && line.rfind(hang_at_, 0) == 0) {
        inbox_.put({});
        if (line == "STARTTLS") wire.say("220 go on\r\n");
        while (wire.line(line)) {
        }
        return;
      }
      if (line.rfind("EHLO", 0) == 0) {
        wire.say(hang_at_ == "STARTTLS" ? "250-sink\r\n250 STARTTLS\r\n" : "250-sink\r\n250 AUTH PLAIN\r\n");
      } else if (line.rfind("AUTH", 0) == 0) {
        if (line == "AUTH PLAIN") {
          wire.say("334 \r\n");
          wire.line(line);
        }
        wire.say("235 ok\r\n");
        mail.login = line;
      } else if (line.rfind("MAIL FROM:", 0) == 0) {
        mail.from = line.substr(10);
        wire.say("250 ok\r\n");
      } else if (line.rfind("RCPT TO:", 0) == 0) {
        const bool bad = !bad_recipient_.empty() && line.find(bad_recipient_) != std::string::npos;
        if (!bad) mail.to.push_back(line.substr(8));
        wire.say(bad ? "550 no such user\r\n" : "250 ok\r\n");
      } else if (line == "DATA") {
        wire.say("354 go on\r\n");
        while (wire.line(line) && line != ".")
          mail.data += (line.rfind('.', 0) == 0 ? line.substr(1) : line) + "\n";
        wire.say(data_answers_[std::min(count_++, data_answers_.size() - 1)] + "\r\n");
        inbox_.put(std::exchange(mail, {}));
      } else if (line == "QUIT") {
        wire.say("221 bye\r\n");
        return;
      } else {
        wire.say("250 ok\r\n");
      }
    }
  }

  const std::vector<std::string> data_answers_;
  const std::string bad_recipient_;
  const std::string hang_at_;
  std::size_t count_ = 0;
  Inbox<Mail> inbox_;
  Listener listener_;
};

}  // namespace vigil::test
