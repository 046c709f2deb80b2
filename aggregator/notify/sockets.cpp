#include "aggregator/notify/sockets.h"

#include "aggregator/notify/private_addresses.h"

#include <sys/socket.h>
#include <unistd.h>

namespace vigil::notify {

void Sockets::attach(CURL* easy, Reach reach) {
  {
    const std::lock_guard lock(mutex_);
    reach_ = reach;
    refused_.clear();
  }
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
}

std::string Sockets::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

void Sockets::cut() {
  const std::lock_guard lock(mutex_);
  cut_ = true;
  for (const curl_socket_t socket : open_) ::shutdown(socket, SHUT_RDWR);
}

curl_socket_t Sockets::open(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
  auto& sockets = *static_cast<Sockets*>(self);
  const std::lock_guard lock(sockets.mutex_);
  if (sockets.cut_) return CURL_SOCKET_BAD;
  if (sockets.reach_ == Reach::public_only && is_private(address->addr)) {
    sockets.refused_ = address_text(address->addr);
    return CURL_SOCKET_BAD;
  }
  const int made = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (made < 0) return CURL_SOCKET_BAD;
  sockets.open_.insert(made);
  return made;
}

int Sockets::close(void* self, curl_socket_t socket) {
  auto& sockets = *static_cast<Sockets*>(self);
  const std::lock_guard lock(sockets.mutex_);
  sockets.open_.erase(socket);
  return ::close(socket);
}

}  // namespace vigil::notify
