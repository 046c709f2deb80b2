// Carries runs out: a program of this machine, a request over HTTP, or the agent of a host. Each run of the
// first two has a thread of its own while it lasts: there are few, and none waits for another.
#pragma once

#include "aggregator/actions/config.h"
#include "aggregator/actions/run.h"
#include "aggregator/notify/sockets.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace vigil::actions {

/// What an agent is asked for.
struct AgentOrder {
  std::string host;
  std::string run;
  std::string name;                       // in the host's list
  std::chrono::milliseconds valid_for{};  // begun within that, or not at all
};

struct ExecutorHooks {
  /// How a run ended. Any thread; must not block.
  std::function<void(const std::string& run, Outcome outcome)> ended;
  /// Asks an agent; `refused` is called when it cannot be asked, with the reason. What it answers comes back
  /// by answered(). May be empty: then no agent can be asked.
  std::function<void(const AgentOrder& order, std::function<void(const std::string& why)> refused)> ask_agent;
};

class Executor {
 public:
  using Clock = std::chrono::steady_clock;

  /// `http_names`: where names in http:// URLs may lead.
  Executor(ExecutorHooks hooks, notify::Reach http_names);
  ~Executor();
  Executor(const Executor&) = delete;

  /// Any thread. False after stop().
  bool perform(const ActionConfig& action, const Run& run);
  /// An agent has answered, perhaps so late that nobody waited any more. Any thread. What nobody asked this
  /// host for is left alone.
  void answered(const std::string& host, const std::string& run, Outcome outcome);
  /// Often: gives up waiting for agents that do not answer, and lets go of threads that have ended.
  void look(Clock::time_point now);
  /// Gives what runs two seconds, then ends it; what became of it is unknown.
  void stop();

 private:
  class Flight;  // a run under way on this machine
  struct Asked {
    std::string host;
    Clock::time_point until;
    std::chrono::milliseconds timeout{};
    bool is_given_up = false;
  };
  bool ask(const ActionConfig& action, const Run& run);
  void end(const std::string& run, Outcome outcome);

  const ExecutorHooks hooks_;
  const notify::Reach http_names_;
  std::mutex mutex_;  // protects what follows
  bool stopped_ = false;
  std::map<std::string, std::unique_ptr<Flight>> flights_;
  std::map<std::string, Asked> asked_;
};

}  // namespace vigil::actions
