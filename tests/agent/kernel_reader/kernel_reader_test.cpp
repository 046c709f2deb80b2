#include "agent/kernel_reader/client.h"
#include "agent/kernel_reader/server.h"
#include "common/passed_socket.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace vigil::agent::kernel {
namespace {

using std::chrono::milliseconds;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

int listen_at(const std::string& path) {
  std::filesystem::remove(path);
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 8) == 0);
  return fd;
}

int connect_to(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path);
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

/// A reader of a recorded /proc, on a thread.
class Reader {
 public:
  Reader(const std::string& path, const std::string& procfs)
      : listener_(listen_at(path)), thread_([this, procfs] { serve(listener_, stop_, procfs); }) {}
  ~Reader() {
    const std::uint64_t one = 1;
    CHECK(::write(stop_, &one, sizeof one) == static_cast<ssize_t>(sizeof one));
    thread_.join();
    ::close(listener_);
    ::close(stop_);
  }

 private:
  int stop_ = ::eventfd(0, EFD_CLOEXEC);
  int listener_;
  std::thread thread_;
};

struct Place {
  test::TempDir folder;
  std::string socket = folder.file("reader.sock");
  std::string procfs = folder.file("proc");
  Place() {
    std::filesystem::create_directories(procfs + "/7");
    std::ofstream(procfs + "/7/io") << "rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n";
  }
};

bool closed_by_peer(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  if (::poll(&waiting, 1, 10'000) != 1) return false;
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

}  // namespace

TEST_CASE("the clock comes as adjtimex describes it") {
  const Place place;
  const Reader reader(place.socket, place.procfs);
  Client client(place.socket);
  const auto answered = client.ask({Kind::clock});
  CAPTURE(answered);
  REQUIRE(answered);
  CHECK((*answered)->error == 0);
  CHECK((*answered)->clock.tick >= 9'000);  // microseconds; 10,000 in Hz of 100, 10 % off at most
  CHECK((*answered)->clock.tick <= 11'000);
}

TEST_CASE("the I/O of a process comes as it is, of one that is gone as what it is") {
  const Place place;
  const Reader reader(place.socket, place.procfs);
  Client client(place.socket);
  const auto text = client.process_io(7);
  CAPTURE(text);
  REQUIRE(text);
  CHECK(*text == "rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n");
  const auto gone = client.process_io(8);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == Errc::not_found);
  CHECK(client.process_io(7));  // nothing is wrong with the reader
}

TEST_CASE("what is no question is refused, and nothing else of the host can be had") {
  const Place place;
  const Reader reader(place.socket, place.procfs);
  Client client(place.socket);
  for (const Question& question : {Question{}, Question{static_cast<Kind>(3), 7},
                                   Question{Kind::process_io, 0}, Question{Kind::process_io, -7}}) {
    const auto answered = client.ask(question);
    REQUIRE(answered);
    CHECK((*answered)->error == EINVAL);
    CHECK((*answered)->bytes == 0);
  }
  for (const std::size_t size : {1UL, sizeof(Question) - 1, sizeof(Question) + 1}) {
    INFO(size);
    const int peer = connect_to(place.socket);
    const std::string bytes(size, 'x');
    REQUIRE(::send(peer, bytes.data(), size, 0) == static_cast<ssize_t>(size));
    // A packet that is too long is cut to a question of a kind that does not exist.
    CHECK((size > sizeof(Question) || closed_by_peer(peer)));
    ::close(peer);
  }
  std::filesystem::create_symlink("/etc/passwd", place.procfs + "/7/link");
  std::filesystem::remove(place.procfs + "/7/io");
  std::filesystem::create_symlink("/etc/passwd", place.procfs + "/7/io");
  CHECK_FALSE(client.process_io(7));
}

TEST_CASE("many peers at once are served in turn") {
  const Place place;
  const Reader reader(place.socket, place.procfs);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(place.socket));
    CHECK(clients.back()->process_io(7));
  }
  clients.pop_back();  // makes room for one more
  Client last(place.socket);
  CHECK(last.process_io(7));
}

TEST_CASE("without a reader the answer is that there is none, at once") {
  const Place place;
  Client client(place.socket);
  const auto answered = client.process_io(7);
  REQUIRE_FALSE(answered);
  CHECK(answered.error().code == Errc::unavailable);
}

TEST_CASE("a reader that was started anew is asked again; one that hangs costs a round one wait") {
  const Place place;
  Client client(place.socket, milliseconds(20));
  {
    const Reader first(place.socket, place.procfs);
    CHECK(client.process_io(7));
  }
  {
    const Reader second(place.socket, place.procfs);
    CHECK(client.process_io(7));
  }
  const int deaf = listen_at(place.socket);
  CHECK_FALSE(client.process_io(7));
  const auto again = client.process_io(7);
  REQUIRE_FALSE(again);
  CHECK(again.error().message.find("did not answer") != std::string::npos);
  ::close(deaf);
  const Reader third(place.socket, place.procfs);
  client.begin();
  CHECK(client.process_io(7));
}

TEST_CASE("started by hand it says who starts it") {
  ::unsetenv("LISTEN_FDS");
  const auto none = passed_socket("vigil-kernel-reader.socket");
  REQUIRE_FALSE(none);
  CHECK(none.error().message.find("vigil-kernel-reader.socket") != std::string::npos);
  ::setenv("LISTEN_FDS", "1", 1);
  ::setenv("LISTEN_PID", "1", 1);  // meant for another process
  CHECK_FALSE(passed_socket("vigil-kernel-reader.socket"));
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_PID");
}

}  // namespace vigil::agent::kernel
