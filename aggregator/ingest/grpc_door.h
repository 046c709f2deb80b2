// The gRPC port's door: accepts connections on a thread of its own and hands those on to gRPC that may come
// in. gRPC 1.51 accepts whoever comes, and gives a port up for good when it has no descriptor left for one;
// this does neither.
//
// What becomes of a connection gRPC does not tell. It is open as long as its descriptor still is the same
// socket, which is looked at now and then, and whenever a limit is reached.
#pragma once

#include "aggregator/door/roster.h"
#include "aggregator/door/tally.h"
#include "common/error.h"
#include "common/text/address.h"

#include <grpcpp/server_builder.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace vigil::aggregator {

/// A descriptor that is closed.
class OwnedFd {
 public:
  explicit OwnedFd(int fd = -1) : fd_(fd) {}
  ~OwnedFd();
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

struct GrpcDoorOptions {
  Address listen;
  door::Limits limits;
  door::Tally* tally = nullptr;  // outlives the door; may be null
};

class GrpcDoor {
 public:
  using Inside = grpc::experimental::ExternalConnectionAcceptor;

  /// Binds and listens: connections wait until start(). Errors have the reason only. Errc::conflict,
  /// Errc::unavailable.
  static Result<std::unique_ptr<GrpcDoor>> open(const GrpcDoorOptions& options);
  ~GrpcDoor();

  /// With the port that was free when 0 was asked for.
  const Address& address() const { return address_; }
  /// `inside` of a server that was started.
  void start(std::unique_ptr<Inside> inside);
  /// Nobody comes in any more.
  void stop();

 private:
  struct Guest {
    int fd = -1;
    ino_t socket = 0;  // its inode: of no other socket meanwhile
    door::Roster::Id place = 0;
  };
  explicit GrpcDoor(const GrpcDoorOptions& options);
  Result<void> bind();
  Result<void> bind_one(int family, const void* address, unsigned address_bytes);
  void run();
  void accept_some(int listener);
  void take(OwnedFd connection, const std::string& source);
  /// Whether so much time has passed that it was worth it.
  bool note_who_left(std::int64_t now_ms, std::int64_t at_least_ms);

  const GrpcDoorOptions options_;
  Address address_;
  std::vector<OwnedFd> listeners_;
  OwnedFd wake_;  // eventfd(2): readable when the thread is to end
  std::unique_ptr<Inside> inside_;
  std::thread thread_;
  // The thread's.
  door::Roster roster_;
  std::vector<Guest> guests_;
  std::int64_t looked_ms_ = 0;
};

}  // namespace vigil::aggregator
