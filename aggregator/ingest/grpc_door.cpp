#include "aggregator/ingest/grpc_door.h"

#include "aggregator/door/borrowed_socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace vigil::aggregator {
namespace {

/// How often it is looked who left: for the figures, and when a limit is reached.
constexpr std::int64_t kLookMs = 5000;
constexpr std::int64_t kLookAtLimitMs = 100;
// Pings of HTTP/2 cannot tell that a client is gone while what was sent before them waits to be acknowledged.
// gRPC sets this on listeners of its own, by GRPC_ARG_KEEPALIVE_TIMEOUT_MS.
constexpr unsigned kUnacknowledgedMs = 10'000;
/// How often it is looked what strangers have sent; rarer where there are so many that looking takes more
/// than a fifth of the time.
constexpr std::int64_t kLookAtStrangersMs = 50;
constexpr std::int64_t kRest = 4;
constexpr int kAcceptedAtOnce = 64;  // connections accepted before the other listeners are looked at

std::int64_t door_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Error because(int error) {
  return fail(error == EADDRINUSE ? Errc::conflict : Errc::unavailable, "{}",
              std::generic_category().message(error));
}

std::uint16_t port_of(int listener) {
  sockaddr_storage bound{};
  socklen_t bytes = sizeof bound;
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &bytes) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

}  // namespace

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) ::close(fd_);
}

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

GrpcDoor::GrpcDoor(const GrpcDoorOptions& options)
    : options_(options),
      address_(options.listen),
      wake_(::eventfd(0, EFD_CLOEXEC)),
      roster_(options.limits) {}

GrpcDoor::~GrpcDoor() {
  stop();
}

Result<std::unique_ptr<GrpcDoor>> GrpcDoor::open(const GrpcDoorOptions& options) {
  std::unique_ptr<GrpcDoor> door(new GrpcDoor(options));
  if (door->wake_.get() < 0) return because(errno);
  if (auto bound = door->bind(); !bound) return bound.error();
  return door;
}

Result<void> GrpcDoor::bind_one(int family, const void* address, unsigned address_bytes) {
  OwnedFd listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (listener.get() < 0) return because(errno);
  const int on = 1;
  const int off = 0;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Those accepted inherit these two.
  ::setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(listener.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMs, sizeof kUnacknowledgedMs);
  if (family == AF_INET6) ::setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(listener.get(), static_cast<const sockaddr*>(address), address_bytes) != 0)
    return because(errno);
  if (::listen(listener.get(), SOMAXCONN) != 0) return because(errno);
  address_.port = port_of(listener.get());
  listeners_.push_back(std::move(listener));
  return {};
}

/// All addresses of a name; where all of the machine are meant, those of IPv6 and IPv4 in one.
Result<void> GrpcDoor::bind() {
  const std::string& host = options_.listen.host;
  if (host.empty() || host == "0.0.0.0" || host == "::") {
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(options_.listen.port);
    const auto both = bind_one(AF_INET6, &any, sizeof any);
    if (both || both.error().code == Errc::conflict || host == "::") return both;
  }
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                  std::to_string(options_.listen.port).c_str(), &hints, &found);
  if (error != 0) return fail(Errc::unavailable, "{}", ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  Result<void> last;
  for (addrinfo* each = found; each != nullptr; each = each->ai_next) {
    // Of one name all addresses have one port, that which the first found free.
    auto& port = each->ai_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(each->ai_addr)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(each->ai_addr)->sin_port;
    port = htons(address_.port);
    last = bind_one(each->ai_family, each->ai_addr, each->ai_addrlen);
    if (!last && last.error().code == Errc::conflict) return last;
  }
  return listeners_.empty() ? last : Result<void>();
}

void GrpcDoor::start(std::unique_ptr<Inside> inside) {
  inside_ = std::move(inside);
  thread_ = std::thread([this] { run(); });
}

void GrpcDoor::stop() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  thread_.join();
  listeners_.clear();
}

void GrpcDoor::run() {
  std::vector<pollfd> watched = {{wake_.get(), POLLIN, 0}};
  for (const OwnedFd& listener : listeners_) watched.push_back({listener.get(), POLLIN, 0});
  for (;;) {
    const int ready = ::poll(watched.data(), watched.size(), patience_ms());
    if (watched.front().revents != 0) return;
    if (ready > 0) {
      for (std::size_t i = 1; i < watched.size(); ++i) {
        if (watched[i].revents != 0) accept_some(watched[i].fd);
      }
    }
    look_at_strangers(door_now_ms());
    note_who_left(door_now_ms(), kLookMs);
  }
}

int GrpcDoor::patience_ms() {
  const std::lock_guard lock(mutex_);
  if (guests_.empty()) return -1;
  if (strangers_.empty()) return static_cast<int>(kLookMs);
  return static_cast<int>(std::clamp<std::int64_t>(look_at_strangers_ms_ - door_now_ms(), 1, kLookMs));
}

void GrpcDoor::accept_some(int listener) {
  for (int i = 0; i < kAcceptedAtOnce; ++i) {
    sockaddr_storage peer{};
    socklen_t bytes = sizeof peer;
    OwnedFd connection(
        ::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &bytes, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection.get() >= 0) {
      if (options_.tally != nullptr) options_.tally->accepted();
      take(std::move(connection), door::peer_of(peer));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    // Out of descriptors, most likely: trying again at once would burn the CPU.
    if (options_.tally != nullptr) options_.tally->stuck(because(errno).message);
    pollfd stopped{wake_.get(), POLLIN, 0};
    ::poll(&stopped, 1, 1000);
    return;
  }
}

void GrpcDoor::take(OwnedFd connection, const door::Peer& peer) {
  const std::string source = door::source_of(peer);
  const std::int64_t now = door_now_ms();
  const auto make_room = [this, peer] {
    std::vector<Ended> ended;
    {
      const std::lock_guard lock(mutex_);
      const auto guest = guests_.find(peer);
      if (guest != guests_.end()) end(guest->second, door::Ending::room, ended);
    }
    tell(ended);
  };
  auto entered = roster_.enter(source, now, make_room);
  const auto* refusal = std::get_if<door::Refusal>(&entered);
  if (refusal != nullptr && *refusal != door::Refusal::rate && note_who_left(now, kLookAtLimitMs)) {
    entered = roster_.enter(source, now, make_room);
    refusal = std::get_if<door::Refusal>(&entered);
  }
  if (refusal != nullptr) {
    if (options_.tally != nullptr) options_.tally->refused(*refusal, source, now);
    return;
  }
  const auto place = std::get<door::Roster::Id>(entered);
  const auto socket = door::inode_of(connection.get());
  if (!socket) return roster_.leave(place);
  note(peer, {connection.get(), *socket, place, source, door::Conduct(now)});
  if (options_.is_guarded) roster_.waits(place, now);
  Inside::NewConnectionParameters handed;
  handed.fd = connection.release();
  inside_->HandleNewConnection(&handed);
}

/// Before gRPC has it, for it may tell of a call at once.
void GrpcDoor::note(const door::Peer& peer, Guest guest) {
  const std::lock_guard lock(mutex_);
  if (const auto before = guests_.find(peer); before != guests_.end()) forget(before);  // it left
  guests_.emplace(peer, std::move(guest));
  if (options_.is_guarded) strangers_.insert(peer);
  if (options_.tally != nullptr) options_.tally->connected(guests_.size());
}

GrpcDoor::Guests::iterator GrpcDoor::forget(Guests::iterator guest) {
  roster_.leave(guest->second.place);
  by_source_.erase(guest->second.source);
  return guests_.erase(guest);
}

bool GrpcDoor::note_who_left(std::int64_t now_ms, std::int64_t at_least_ms) {
  if (now_ms - looked_ms_ < at_least_ms) return false;
  looked_ms_ = now_ms;
  const std::lock_guard lock(mutex_);
  for (auto guest = guests_.begin(); guest != guests_.end();) {
    const bool is_here = door::inode_of(guest->second.fd) == guest->second.socket;
    guest = is_here ? std::next(guest) : forget(guest);
  }
  if (options_.tally != nullptr) options_.tally->connected(guests_.size());
  return true;
}

void GrpcDoor::look_at_strangers(std::int64_t now_ms) {
  if (now_ms < look_at_strangers_ms_) return;
  std::vector<Ended> ended;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(strangers_, [this, now_ms, &ended](const door::Peer& peer) {
      const auto found = guests_.find(peer);
      if (found == guests_.end()) return true;
      Guest& guest = found->second;
      if (guest.is_ended || guest.conduct.is_known()) return true;
      const auto received = door::received_by(guest.fd, guest.socket);
      if (!received) {
        forget(found);
        return true;
      }
      if (guest.conduct.sent(*received, now_ms)) return false;
      end(guest, door::Ending::stranger, ended);
      return true;
    });
  }
  tell(ended);
  const std::int64_t took_ms = door_now_ms() - now_ms;
  look_at_strangers_ms_ = now_ms + took_ms + std::max(kLookAtStrangersMs, kRest * took_ms);
}

/// gRPC sees the end as if the client had gone, and closes it.
void GrpcDoor::end(Guest& guest, door::Ending why, std::vector<Ended>& ended) {
  if (std::exchange(guest.is_ended, true)) return;
  roster_.leave(guest.place);
  if (!door::end_connection(guest.fd, guest.socket)) return;  // gone by itself
  ended.push_back({why, guest.address});
}

void GrpcDoor::tell(const std::vector<Ended>& ended) const {
  if (options_.tally == nullptr) return;
  for (const Ended& each : ended) options_.tally->ended(each.why, each.address, door_now_ms());
}

GrpcDoor::Guest* GrpcDoor::find(const std::string& source) {
  const auto peer = by_source_.find(source);
  if (peer == by_source_.end()) return nullptr;
  const auto guest = guests_.find(peer->second);
  return guest == guests_.end() ? nullptr : &guest->second;
}

void GrpcDoor::let_in(const std::string& source, std::string_view method) {
  if (method.starts_with("/grpc.reflection.")) return;  // a synchronous service: nobody says that it arrived
  std::vector<Ended> ended;
  {
    const std::lock_guard lock(mutex_);
    Guest* guest = find(source);
    if (guest != nullptr && !guest->conduct.begun()) end(*guest, door::Ending::calls, ended);
  }
  tell(ended);
}

void GrpcDoor::refused(const std::string& source) {
  std::vector<Ended> ended;
  {
    const std::lock_guard lock(mutex_);
    Guest* guest = find(source);
    if (guest != nullptr && !guest->conduct.refused(door_now_ms())) end(*guest, door::Ending::calls, ended);
  }
  tell(ended);
}

void GrpcDoor::arrived(const std::string& peer, const std::string& source, bool shows) {
  const auto parsed = door::peer_from(peer);
  if (!parsed) return;
  const std::lock_guard lock(mutex_);
  const auto found = guests_.find(*parsed);
  if (found == guests_.end()) return;
  Guest& guest = found->second;
  guest.conduct.arrived(shows);
  if (shows) roster_.works(guest.place);
  if (!guest.source.empty() || source.empty()) return;
  guest.source = source;
  by_source_.emplace(source, *parsed);
}

}  // namespace vigil::aggregator
