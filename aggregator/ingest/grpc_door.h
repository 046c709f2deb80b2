// The gRPC port's door: accepts connections on a thread of its own and hands those on to gRPC that may come
// in. gRPC 1.51 accepts whoever comes, and gives a port up for good when it has no descriptor left for one;
// this does neither.
//
// What becomes of a connection gRPC does not tell. It is open as long as its descriptor still is the same
// socket, which is looked at now and then, and whenever a limit is reached.
//
// Where calls are guarded, the door knows who was let in, and ends the connections of who goes too far
// (door/conduct.h), which gRPC cannot. Who was not let in yet makes room where a limit is reached.
#pragma once

#include "aggregator/access/call_guard.h"
#include "aggregator/door/conduct.h"
#include "aggregator/door/peer.h"
#include "aggregator/door/roster.h"
#include "aggregator/door/tally.h"
#include "common/error.h"
#include "common/text/address.h"

#include <grpcpp/server_builder.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
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
  bool is_guarded = false;       // a guard tells the door of calls, as their services are to by arrived()
};

class GrpcDoor final : public access::CallWatch {
 public:
  using Inside = grpc::experimental::ExternalConnectionAcceptor;

  /// Binds and listens: connections wait until start(). Errors have the reason only. Errc::conflict,
  /// Errc::unavailable.
  static Result<std::unique_ptr<GrpcDoor>> open(const GrpcDoorOptions& options);
  ~GrpcDoor() override;

  /// With the port that was free when 0 was asked for.
  const Address& address() const { return address_; }
  /// `inside` of a server that was started.
  void start(std::unique_ptr<Inside> inside);
  /// Nobody comes in any more.
  void stop();

  // Any thread. gRPC tells of a call's address only when its service hears of it; the guard, before, knows
  // the connection by a name of its own. arrived() brings both together.
  void let_in(const std::string& source, std::string_view method) override;
  void refused(const std::string& source) override;
  /// `peer` as gRPC names it, `source` as the guard does. `shows`: as Conduct::arrived() has it.
  void arrived(const std::string& peer, const std::string& source, bool shows);

 private:
  struct Guest {
    int fd = -1;
    ino_t socket = 0;  // its inode: of no other socket meanwhile
    door::Roster::Id place = 0;
    std::string address;  // for the log
    door::Conduct conduct;
    std::string source = {};  // the guard's name for it; "": no call has arrived yet
    bool is_ended = false;
  };
  using Guests = std::map<door::Peer, Guest>;
  struct Ended {
    door::Ending why;
    std::string address;
  };
  explicit GrpcDoor(const GrpcDoorOptions& options);
  Result<void> bind();
  Result<void> bind_one(int family, const void* address, unsigned address_bytes);
  void run();
  void accept_some(int listener);
  void take(OwnedFd connection, const door::Peer& peer);
  void note(const door::Peer& peer, Guest guest);
  /// Whether so much time has passed that it was worth it.
  bool note_who_left(std::int64_t now_ms, std::int64_t at_least_ms);
  void look_at_strangers(std::int64_t now_ms);
  int patience_ms();
  /// Without the lock: the log may have to wait for who reads it, and calls wait for the lock.
  void tell(const std::vector<Ended>& ended) const;
  // With the lock.
  Guest* find(const std::string& source);
  Guests::iterator forget(Guests::iterator guest);
  /// Adds to `ended` what is to be told of it.
  void end(Guest& guest, door::Ending why, std::vector<Ended>& ended);

  const GrpcDoorOptions options_;
  Address address_;
  std::vector<OwnedFd> listeners_;
  OwnedFd wake_;  // eventfd(2): readable when the thread is to end
  std::unique_ptr<Inside> inside_;
  std::thread thread_;
  door::Roster roster_;
  // The thread's.
  std::int64_t looked_ms_ = 0;
  std::int64_t look_at_strangers_ms_ = 0;  // when next
  std::mutex mutex_;                       // protects what follows
  Guests guests_;
  std::set<door::Peer> strangers_;                         // some may be none any more
  std::unordered_map<std::string, door::Peer> by_source_;  // of the guard
};

}  // namespace vigil::aggregator
