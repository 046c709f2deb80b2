#include "tests/agent/collectors/fake_systemd.h"

#include "tests/support/catch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <mutex>
#include <thread>

extern char** environ;

namespace vigil::test {

std::unique_ptr<PrivateBus> PrivateBus::start(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const std::string socket = (folder / "system_bus_socket").string();
  const std::string config = (folder / "bus.conf").string();
  std::ofstream(config)
      << "<busconfig><type>session</type><listen>unix:path=" << socket
      << "</listen><auth>EXTERNAL</auth><policy context=\"default\"><allow send_destination=\"*\"/>"
         "<allow receive_sender=\"*\"/><allow own=\"*\"/><allow user=\"*\"/></policy></busconfig>";
  int ready[2];
  REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ready[1], STDOUT_FILENO);
  // It complains there that it may not raise its limit of open files.
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const std::string option = "--config-file=" + config;
  const char* arguments[] = {"dbus-daemon", option.c_str(),      "--nofork",
                             "--nopidfile", "--print-address=1", nullptr};
  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, "dbus-daemon", &actions, nullptr, const_cast<char**>(arguments), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ready[1]);
  char address = 0;  // it prints its address when it listens
  const bool listens = error == 0 && ::read(ready[0], &address, 1) == 1;
  ::close(ready[0]);
  if (!listens) {
    if (error == 0) ::waitpid(pid, nullptr, 0);
    WARN("skipped: dbus-daemon cannot be started");
    return nullptr;
  }
  std::unique_ptr<PrivateBus> bus(new PrivateBus(socket));
  bus->pid_ = pid;
  return bus;
}

PrivateBus::~PrivateBus() {
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

struct FakeSystemd::State {
  std::mutex mutex;
  std::vector<FakeUnit> units;
  Manner manner = Manner::proper;
  std::atomic<int> restart_questions{0};
  std::atomic<bool> stop{false};
  sd_bus* bus = nullptr;
  std::thread thread;
};

namespace {

std::string path_of(std::size_t index) {
  return fmt::format("/org/freedesktop/systemd1/unit/u{}", index);
}

}  // namespace

FakeSystemd::FakeSystemd(const std::string& socket, std::vector<FakeUnit> units, Manner manner)
    : state_(std::make_unique<State>()) {
  state_->units = std::move(units);
  state_->manner = manner;
  REQUIRE(sd_bus_new(&state_->bus) >= 0);
  REQUIRE(sd_bus_set_address(state_->bus, ("unix:path=" + socket).c_str()) >= 0);
  REQUIRE(sd_bus_set_bus_client(state_->bus, 1) >= 0);
  REQUIRE(sd_bus_start(state_->bus) >= 0);
  // One filter instead of tables of methods: it sees every call as it came.
  const auto answer = [](sd_bus_message* call, void* data, sd_bus_error*) -> int {
    auto& state = *static_cast<State*>(data);
    if (sd_bus_message_get_expect_reply(call) == 0) return 0;
    if (state.manner == Manner::silent) return 1;
    const std::lock_guard lock(state.mutex);
    sd_bus_message* reply = nullptr;
    if (sd_bus_message_is_method_call(call, "org.freedesktop.systemd1.Manager", "ListUnits") > 0) {
      if (state.manner == Manner::wrong_types)
        return sd_bus_reply_method_return(call, "as", 2, "not", "units");
      sd_bus_message_new_method_return(call, &reply);
      sd_bus_message_open_container(reply, 'a', "(ssssssouso)");
      for (std::size_t i = 0; i < state.units.size(); ++i) {
        const FakeUnit& unit = state.units[i];
        sd_bus_message_append(reply, "(ssssssouso)", unit.name.c_str(), "A unit", unit.load_state.c_str(),
                              unit.active_state.c_str(), unit.sub_state.c_str(), "", path_of(i).c_str(), 0U,
                              "", "/");
      }
      sd_bus_message_close_container(reply);
      const int sent = sd_bus_send(state.bus, reply, nullptr);
      sd_bus_message_unref(reply);
      return sent < 0 ? sent : 1;
    }
    const char *interface = nullptr, *property = nullptr;
    if (sd_bus_message_is_method_call(call, "org.freedesktop.DBus.Properties", "Get") <= 0) return 0;
    if (sd_bus_message_read(call, "ss", &interface, &property) < 0) return -EINVAL;
    const std::string_view name = property;
    if (name == "Version") return sd_bus_reply_method_return(call, "v", "s", "252.39-1~deb12u2");
    if (name == "SystemState") return sd_bus_reply_method_return(call, "v", "s", "degraded");
    for (std::size_t i = 0; i < state.units.size(); ++i) {
      if (path_of(i) != sd_bus_message_get_path(call)) continue;
      const FakeUnit& unit = state.units[i];
      if (name == "Type") return sd_bus_reply_method_return(call, "v", "s", unit.type.c_str());
      if (name == "LastTriggerUSec")
        return sd_bus_reply_method_return(call, "v", "t", unit.last_trigger_usec);
      if (name == "NRestarts") {
        ++state.restart_questions;
        return sd_bus_reply_method_return(call, "v", "u", unit.restarts);
      }
    }
    return sd_bus_reply_method_errorf(call, "org.freedesktop.DBus.Error.UnknownProperty", "no %s here",
                                      property);
  };
  REQUIRE(sd_bus_add_filter(state_->bus, nullptr, answer, state_.get()) >= 0);
  REQUIRE(sd_bus_request_name(state_->bus, "org.freedesktop.systemd1", 0) >= 0);
  state_->thread = std::thread([state = state_.get()] {
    while (!state->stop) {
      if (sd_bus_process(state->bus, nullptr) == 0)
        sd_bus_wait(state->bus, 20'000);  // microseconds, then looks for `stop`
    }
  });
}

FakeSystemd::~FakeSystemd() {
  state_->stop = true;
  state_->thread.join();
  sd_bus_flush_close_unref(state_->bus);
}

void FakeSystemd::set(std::vector<FakeUnit> units) {
  const std::lock_guard lock(state_->mutex);
  state_->units = std::move(units);
}

int FakeSystemd::restart_questions() const {
  return state_->restart_questions;
}

}  // namespace vigil::test
