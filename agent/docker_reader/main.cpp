// vigil-docker-reader: asks a container engine for the agent, which may not use the engine's socket itself,
// for that is as good as root. systemd starts it with the first question.
#include "agent/docker_reader/server.h"
#include "common/flags/help.h"
#include "common/log/log.h"
#include "common/passed_socket.h"
#include "common/private_memory.h"
#include "common/version.h"

#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace {

using namespace vigil;

/// A socket of our own that this user alone may use, in the place of one that was left there.
Result<int> listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Errc::invalid_argument, "{}: a socket's path has at most {} bytes", path,
                sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail_errno(errno, "socket");
  struct stat there {};
  if (::lstat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode)) ::unlink(path.c_str());
  ::umask(0177);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 16) != 0)
    return fail_errno(errno, "listen at " + path);
  return fd;
}

/// Readable once this process is asked to end.
int end_signals() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  return ::signalfd(-1, &ends, SFD_CLOEXEC);
}

int serve(const std::string& engine, const std::string& listen_path) {
  keep_memory_private();  // containers' environments pass through the memory
  const auto listener = listen_path.empty() ? passed_socket("vigil-docker-reader.socket; by hand: --listen")
                                            : listen_at(listen_path);
  if (!listener) {
    fmt::print(stderr, "vigil-docker-reader: {}\n", listener.error().message);
    return 2;
  }
  const int ends = end_signals();  // before there are threads, which take the mask over
  agent::docker::Server server(*listener, {.engine = engine});
  log::info("docker-reader", "answering", {{"engine", engine}});
  server.run(ends);
  log::info("docker-reader", "ended", {{"answered", server.answered()}, {"refused", server.refused()}});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "vigil-docker-reader asks Docker or Podman for the vigil agent: five GET requests with checked "
      "parameters go through, of the answers those fields that the agent reads. Everything else is refused. "
      "It ends after five minutes without a connection; systemd starts it anew with the next one.",
      "vigil-docker-reader");
  app.formatter(help_formatter());
  app.set_version_flag("--version", "vigil-docker-reader " + std::string(kVersion));
  std::string engine = agent::docker::ServerOptions().engine;
  std::string listen_path;
  app.add_option("--engine", engine, "The engine's socket [/run/docker.sock]")->type_name("PATH");
  app.add_option("--listen", listen_path,
                 "Listen there, for this user alone [the socket that systemd passes]")
      ->type_name("PATH");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}", usage_error("vigil-docker-reader", app, error));
    return 2;
  }
  return serve(engine, listen_path);
}
