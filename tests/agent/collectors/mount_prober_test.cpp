#include "agent/collectors/mount_prober.h"

#include "agent/collectors/filesystem.h"
#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

namespace vigil::agent {
namespace {

using namespace vigil::test;
using State = MountAnswer::State;
using Place = MountQuestion::Place;

// What a healthy mount takes at most on a busy machine, and therefore what each test with a stuck one lasts.
constexpr auto kDeadline = std::chrono::seconds(1);

/// File systems some of which hang until told otherwise.
class Mounts {
 public:
  void hang(const std::string& path) {
    const std::lock_guard lock(mutex_);
    hanging_.insert(path);
  }
  void release(const std::string& path) {
    const std::lock_guard lock(mutex_);
    hanging_.erase(path);
    changed_.notify_all();
  }
  void wait_until_returned(const std::string& path) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_[path] == 0; });
  }
  int calls(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return calls_[path];
  }
  int most_at_once(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return most_[path];
  }
  int operator()(const std::string& path, struct statvfs& out) {
    std::unique_lock lock(mutex_);
    ++calls_[path];
    most_[path] = std::max(most_[path], ++inside_[path]);
    changed_.wait(lock, [&] { return !hanging_.contains(path); });
    --inside_[path];
    changed_.notify_all();
    out.f_frsize = 4096;
    out.f_bsize = 65536;
    out.f_blocks = 100;
    out.f_bfree = 50;
    out.f_bavail = 40;
    out.f_files = 1000;
    out.f_ffree = 900;
    return path.find("refused") != std::string::npos ? EACCES : 0;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> hanging_;
  std::map<std::string, int> calls_;
  std::map<std::string, int> inside_;
  std::map<std::string, int> most_;
};

StatvfsCall calling(const std::shared_ptr<Mounts>& mounts) {
  return [mounts](const std::string& path, struct statvfs& out) { return (*mounts)(path, out); };
}

std::vector<State> states(const std::vector<MountAnswer>& answers) {
  std::vector<State> result;
  for (const auto& answer : answers) result.push_back(answer.state);
  return result;
}

/// The stuck call returns, but its thread has still to come home before the next question finds it idle.
std::vector<MountAnswer> ask_until_answered(MountProber& prober, const std::vector<MountQuestion>& questions,
                                            std::size_t which) {
  auto answers = prober.ask(questions);
  while (answers[which].state == State::stuck) answers = prober.ask(questions);
  return answers;
}

}  // namespace

TEST_CASE("healthy mounts are all answered, local ones by one thread and remote ones by one each") {
  const auto mounts = std::make_shared<Mounts>();
  MountProber prober(calling(mounts), kDeadline);
  const std::vector<MountQuestion> questions = {
      {"/"}, {"/home"}, {"/refused"}, {"/nfs", Place::remote}, {"/cifs", Place::remote}};
  for (int round = 0; round < 3; ++round) {
    const auto answers = prober.ask(questions);
    CHECK(states(answers) ==
          std::vector{State::answered, State::answered, State::refused, State::answered, State::answered});
    CHECK(answers[2].error_number == EACCES);
    CHECK(answers[0].stat.f_blocks == 100);
  }
  CHECK(prober.threads() == 3);
  prober.ask(std::vector<MountQuestion>{{"/"}});
  CHECK(prober.threads() == 1);  // unmounted ones give their threads back
}

TEST_CASE("a stuck network mount costs only itself, is asked once, and recovers") {
  const auto mounts = std::make_shared<Mounts>();
  mounts->hang("/nfs");
  MountProber prober(calling(mounts), kDeadline);
  const std::vector<MountQuestion> questions = {{"/"}, {"/nfs", Place::remote}, {"/cifs", Place::remote}};
  for (int round = 0; round < 5; ++round) {
    CHECK(states(prober.ask(questions)) == std::vector{State::answered, State::stuck, State::answered});
  }
  CHECK(mounts->calls("/nfs") == 1);
  CHECK(mounts->calls("/cifs") == 5);
  CHECK(prober.threads() == 3);
  mounts->release("/nfs");
  const auto answers = ask_until_answered(prober, questions, 1);
  CHECK(answers[1].state == State::answered);
  CHECK(mounts->most_at_once("/nfs") == 1);
  CHECK(prober.threads() == 3);
}

TEST_CASE("a stuck local mount does not hold up the local mounts behind it") {
  const auto mounts = std::make_shared<Mounts>();
  mounts->hang("/dying");
  MountProber prober(calling(mounts), kDeadline);
  const std::vector<MountQuestion> questions = {{"/"}, {"/dying"}, {"/home"}, {"/var"}};
  for (int round = 0; round < 3; ++round) {
    CHECK(states(prober.ask(questions)) ==
          std::vector{State::answered, State::stuck, State::answered, State::answered});
  }
  CHECK(prober.threads() == 2);
  CHECK(mounts->calls("/dying") == 1);
  mounts->release("/dying");
  ask_until_answered(prober, questions, 1);
  CHECK(prober.threads() == 1);  // back with the common thread
}

TEST_CASE(
    "a prober with a stuck mount is destroyed without waiting, and its thread is joined when it returns") {
  const auto mounts = std::make_shared<Mounts>();
  mounts->hang("/nfs");
  {
    MountProber prober(calling(mounts), kDeadline);
    CHECK(states(prober.ask(std::vector<MountQuestion>{{"/nfs", Place::remote}})) ==
          std::vector{State::stuck});
  }
  CHECK(MountProber::parked_threads() == 1);
  mounts->release("/nfs");
  mounts->wait_until_returned("/nfs");
  while (MountProber::parked_threads() != 0) {
  }
  CHECK(MountProber::parked_threads() == 0);
}

TEST_CASE("a stuck mount shows as device_error without sizes, never with old ones") {
  const auto mounts = std::make_shared<Mounts>();
  TempDir host;
  host.write("proc/1/mountinfo",
             "21 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
             "22 21 0:42 / /mnt/nfs\\040share rw shared:144 - nfs4 10.0.0.1:/srv rw,hard\n"
             "23 21 0:43 / /refused ro master:1 propagate_from:2 - xfs /dev/sdb rw\n");
  const auto options = rooted(host.path());
  const auto collector = make_filesystem_with(options, calling(mounts), kDeadline);
  Sheet sheet;
  REQUIRE(tick(*collector, sheet));
  const std::string healthy = to_text(sheet);
  const std::string root = "{device=\"/dev/sda1\", fstype=\"ext4\", mountpoint=\"/\"}";
  const std::string nfs = "{device=\"10.0.0.1:/srv\", fstype=\"nfs4\", mountpoint=\"/mnt/nfs share\"}";
  const std::string refused = "{device=\"/dev/sdb\", fstype=\"xfs\", mountpoint=\"/refused\"}";
  CHECK_THAT(healthy, Catch::Contains("node_filesystem_size_bytes" + root + " 409600\n"));
  CHECK_THAT(healthy, Catch::Contains("node_filesystem_avail_bytes" + nfs + " 163840\n"));
  CHECK_THAT(healthy, Catch::Contains("node_filesystem_files_free" + nfs + " 900\n"));
  CHECK_THAT(healthy, Catch::Contains("node_filesystem_device_error" + refused + " 1\n"));
  CHECK_THAT(healthy, Catch::Contains("node_filesystem_readonly" + refused + " 1\n"));
  CHECK_THAT(healthy, !Catch::Contains("node_filesystem_size_bytes" + refused));

  mounts->hang(host.path().string() + "/mnt/nfs share");
  REQUIRE(tick(*collector, sheet));
  const std::string stuck = to_text(sheet);
  CHECK_THAT(stuck, Catch::Contains("node_filesystem_device_error" + nfs + " 1\n"));
  CHECK_THAT(stuck, !Catch::Contains("node_filesystem_size_bytes" + nfs));
  CHECK_THAT(stuck, Catch::Contains("node_filesystem_size_bytes" + root + " 409600\n"));

  mounts->release(host.path().string() + "/mnt/nfs share");
  do {
    REQUIRE(tick(*collector, sheet));
  } while (to_text(sheet) != healthy);
  CHECK(to_text(sheet) == healthy);
}

}  // namespace vigil::agent
