// The sockets libcurl holds open for one receiver, so that somebody else can cut them off.
//
// libcurl ends a connection to a mail server with QUIT and waits for the answer, up to two minutes and inside
// curl_multi_perform(): a server that hangs would hold up whoever waits for that thread.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <mutex>
#include <set>
#include <string>

namespace vigil::notify {

enum class Reach : std::uint8_t { everywhere, public_only };

/// Must outlive the connections made through handles it was attached to.
class Sockets {
 public:
  /// Connections this handle makes are kept here until they are closed. One handle at a time: `reach` is that
  /// of the last one.
  void attach(CURL* easy, Reach reach);
  /// The private address that the last handle was not let to; "" when there was none.
  std::string refused() const;
  /// Any thread. What waits for these sockets goes on at once, with an error; new ones are refused.
  void cut();

 private:
  static curl_socket_t open(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int close(void* self, curl_socket_t socket);

  mutable std::mutex mutex_;  // protects what follows
  std::set<curl_socket_t> open_;
  Reach reach_ = Reach::everywhere;
  std::string refused_;
  bool cut_ = false;
};

}  // namespace vigil::notify
