// The agent: the one place that knows all parts, owns them, and starts and stops them.
#pragma once

#include "agent/config.h"

#include <memory>

namespace vigil::agent {

/// Owned by main(), whose thread is the beat's.
class Agent {
 public:
  /// Blocks SIGTERM and SIGINT for the whole process, which run() then waits for: call it before anything
  /// starts a thread. Errors: descriptors cannot be had, TLS files cannot be read.
  static Result<std::unique_ptr<Agent>> create(const AgentConfig& config);
  ~Agent();

  /// Samples and delivers until SIGTERM or SIGINT, then delivers what is left.
  void run();

 private:
  struct Parts;
  explicit Agent(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace vigil::agent
