// The agent: the one place that knows all parts, owns them, and starts and stops them.
#pragma once

#include "agent/config.h"

#include <functional>
#include <memory>

namespace vigil::agent {

/// Owned by main(), whose thread is the beat's.
class Agent {
 public:
  /// Blocks SIGTERM, SIGINT and SIGHUP for the whole process, which run() then waits for: call it before
  /// anything starts a thread. `reread` reads the configuration again, for SIGHUP. Errors: descriptors cannot
  /// be had, TLS files cannot be read.
  static Result<std::unique_ptr<Agent>> create(const AgentConfig& config,
                                               std::function<Result<AgentConfig>()> reread);
  ~Agent();

  /// Samples and delivers until SIGTERM or SIGINT, then delivers what is left. At SIGHUP the configuration is
  /// read again: with an error all stays as it was; log_level, max_series and actions_file are taken, and
  /// what else changed is named in the log, for a restart.
  void run();

 private:
  struct Parts;
  explicit Agent(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace vigil::agent
