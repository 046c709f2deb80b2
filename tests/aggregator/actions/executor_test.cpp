// Runs for real: programs, and agents that answer or do not. Requests over HTTP are in the end-to-end tests.
#include "aggregator/actions/executor.h"

#include "common/text/human.h"
#include "tests/support/catch.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

using namespace vigil;
using namespace vigil::actions;
using std::chrono::milliseconds;

namespace {

/// Writes down how runs ended.
class Ends {
 public:
  void add(const std::string& id, const Outcome& outcome) {
    const std::lock_guard lock(mutex_);
    ends_.push_back(fmt::format("{} {}{}{}", id, to_string(outcome.state),
                                outcome.reason.empty() ? "" : ": " + outcome.reason,
                                outcome.output.empty() ? "" : " | " + outcome.output));
    changed_.notify_all();
  }
  std::string next() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [this] { return !ends_.empty(); });
    if (ends_.empty()) return "nothing";
    std::string out = ends_.front();
    ends_.erase(ends_.begin());
    return out;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> ends_;
};

ActionConfig shell(const std::string& script) {
  ActionConfig out;
  out.name = "act";
  out.command = {"/bin/sh", "-c", script};
  return out;
}

Run run(const std::string& id, const std::string& host = "web-1") {
  Run out;
  out.id = id;
  out.action = "act";
  out.subject.host = host;
  return out;
}

}  // namespace

TEST_CASE("a program knows what it runs for, and what it says is kept") {
  Ends ends;
  Executor executor({[&](const std::string& id, const Outcome& outcome) { ends.add(id, outcome); }, {}},
                    notify::Reach::public_only);
  executor.perform(shell("echo $VIGIL_HOST $VIGIL_ACTION; cat | head -c 12; echo >&2 err"), run("a"));
  CHECK(ends.next() == "a succeeded | web-1 act\n{\"version\":1err\n");
  executor.perform(shell("exit 3"), run("b"));
  CHECK(ends.next() == "b failed: exit status 3");
  ActionConfig slow = shell("sleep 60");
  slow.timeout = milliseconds(200);
  executor.perform(slow, run("c"));
  CHECK(ends.next() == "c failed: killed: it took longer than 200ms");
  ActionConfig gone = shell("");
  gone.command = {"/nowhere/x"};
  executor.perform(gone, run("d"));
  CHECK(ends.next() == "d failed: /nowhere/x could not be started: No such file or directory");
  executor.perform(shell("printf '\\377ok'"), run("e"));
  CHECK(ends.next() == "e succeeded | \xEF\xBF\xBDok");
  executor.look(Executor::Clock::now());
}

TEST_CASE("runs go side by side, and stop ends what lasts") {
  Ends ends;
  {
    Executor executor({[&](const std::string& id, const Outcome& outcome) { ends.add(id, outcome); }, {}},
                      notify::Reach::public_only);
    executor.perform(shell("sleep 60"), run("slow"));
    executor.perform(shell("exit 0"), run("quick"));
    CHECK(ends.next() == "quick succeeded");
    executor.stop();
    CHECK_FALSE(executor.perform(shell("exit 0"), run("late")));
  }
  CHECK(ends.next() == "slow unknown: the aggregator stopped while it ran");
}

TEST_CASE("an agent answers, refuses, is silent, or speaks of another's run") {
  Ends ends;
  std::vector<std::string> asked;
  Executor executor({[&](const std::string& id, const Outcome& outcome) { ends.add(id, outcome); },
                     [&](const AgentOrder& order, const std::function<void(const std::string&)>& refused) {
                       asked.push_back(fmt::format("{} {} {}", order.host, order.run, order.name));
                       if (order.host == "away") refused("the agent of away is not connected");
                     }},
                    notify::Reach::public_only);
  ActionConfig action;
  action.name = "act";
  action.agent = "restart";
  action.timeout = std::chrono::minutes(1);
  executor.perform(action, run("a", "away"));
  CHECK(ends.next() == "a failed: the agent of away is not connected");
  executor.perform(action, run("b"));
  CHECK(asked.back() == "web-1 b restart");
  Outcome fine;
  fine.state = RunState::succeeded;
  executor.answered("web-2", "b", fine);
  executor.answered("web-1", "other", fine);
  executor.answered("web-1", "b", fine);
  CHECK(ends.next() == "b succeeded");
  executor.answered("web-1", "b", fine);  // said twice
  executor.perform(action, run("c"));
  executor.look(Executor::Clock::now() + std::chrono::seconds(59));
  executor.look(Executor::Clock::now() + std::chrono::seconds(61));
  CHECK(ends.next() == "c unknown: the agent of web-1 did not answer within 1m");
  executor.answered("web-1", "c", fine);  // late, and believed
  CHECK(ends.next() == "c succeeded");
  Executor alone({[&](const std::string& id, const Outcome& outcome) { ends.add(id, outcome); }, {}},
                 notify::Reach::public_only);
  alone.perform(action, run("d"));
  CHECK(ends.next() == "d failed: no agent can be asked");
}
