#include "agent/actions/action_runner.h"

#include "common/text/human.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

using namespace vigil;
using namespace vigil::agent;

namespace {

struct Answers {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<v1::ActionResult> results;

  void add(v1::ActionResult result) {
    const std::lock_guard lock(mutex);
    results.push_back(std::move(result));
    changed.notify_all();
  }
  std::string next() {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(10), [this] { return !results.empty(); });
    if (results.empty()) return "nothing";
    const v1::ActionResult result = results.front();
    results.erase(results.begin());
    std::string word = v1::ActionResult::Outcome_Name(result.outcome()).substr(8);
    return fmt::format("{} {} {}{}{}", result.id(), word, result.code(),
                       result.reason().empty() ? "" : ": " + result.reason(),
                       result.output().empty() ? "" : " | " + result.output());
  }
};

v1::ActionRequest request(const std::string& id, const std::string& name) {
  v1::ActionRequest out;
  out.set_id(id);
  out.set_name(name);
  return out;
}

struct Host {
  explicit Host(const std::string& list) : path(dir.file("actions.yml")) {
    std::ofstream(path) << list;
    ::chmod(path.c_str(), 0644);
    ::chmod(dir.file("").c_str(), 0755);
    runner = std::make_unique<ActionRunner>(
        path, [this](v1::ActionResult result) { answers.add(std::move(result)); }, ::getuid());
  }
  std::string ask(const std::string& id, const std::string& name) {
    runner->take(request(id, name));
    return answers.next();
  }

  test::TempDir dir;
  std::string path;
  Answers answers;
  std::unique_ptr<ActionRunner> runner;
};

}  // namespace

TEST_CASE("what the list allows is run, with what it says and how it ends") {
  Host host(R"(
actions:
  hello: {command: [/bin/sh, -c, 'echo $VIGIL_ACTION $VIGIL_RUN; echo >&2 err']}
  fails: {command: [/bin/sh, -c, 'exit 3']}
  slow: {command: [/bin/sleep, '60'], timeout: 200ms}
  dies: {command: [/bin/sh, -c, 'kill -9 $$']}
)");
  CHECK(host.ask("1", "hello") == "1 EXITED 0 | hello 1\nerr\n");
  CHECK(host.ask("2", "fails") == "2 EXITED 3: exit status 3");
  CHECK(host.ask("3", "slow") == "3 LATE 9: killed: it took longer than 200ms");
  CHECK(host.ask("4", "dies") == "4 KILLED 9: ended by signal 9");
  CHECK(host.ask("5", "rm -rf /") == "5 REFUSED 0: " + host.path + " has no action rm -rf /");
}

TEST_CASE("the list is root's word of the moment") {
  Host host("actions: {hello: {command: [/bin/true]}}");
  CHECK(host.ask("1", "hello") == "1 EXITED 0");
  ::chmod(host.path.c_str(), 0666);
  CHECK(host.ask("2", "hello").starts_with("2 REFUSED 0: " + host.path + " may be changed"));
  ::unlink(host.path.c_str());
  CHECK(host.ask("3", "hello").starts_with("3 REFUSED"));
}

TEST_CASE("a run that is asked for twice runs once") {
  Host host("actions: {count: {command: [/bin/sh, -c, 'echo x']}}");
  host.runner->take(request("1", "count"));
  host.runner->take(request("1", "count"));
  host.runner->take(request("2", "count"));
  CHECK(host.answers.next() == "1 EXITED 0 | x\n");
  CHECK(host.answers.next() == "2 EXITED 0 | x\n");
}

TEST_CASE("an agent without a list refuses, and one that stops says that nobody knows") {
  const test::TempDir list_dir;
  Answers answers;
  ActionRunner none("", [&](v1::ActionResult result) { answers.add(std::move(result)); });
  none.take(request("1", "x"));
  CHECK(answers.next() == "1 REFUSED 0: this agent runs no actions: its configuration names no actions_file");

  Host host("actions: {slow: {command: [/bin/sh, -c, 'touch " + list_dir.file("begun") + "; sleep 60']}}");
  host.runner->take(request("1", "slow"));
  for (int i = 0; i < 1000 && ::access(list_dir.file("begun").c_str(), F_OK) != 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  for (int i = 0; i < 17; ++i) host.runner->take(request("more-" + std::to_string(i), "slow"));
  CHECK(host.answers.next() == "more-16 REFUSED 0: too many actions wait here already");
  host.runner->stop();
  CHECK(host.answers.next() == "1 UNKNOWN 0: the agent was stopped while it ran");
  CHECK(host.answers.next() == "more-0 REFUSED 0: the agent stops");
}
