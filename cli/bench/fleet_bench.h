// `vigil bench fleet` from its start to its figures: connects a fleet, lets it send, reads back.
#pragma once

#include "cli/bench/fleet.h"
#include "cli/bench/own_aggregator.h"
#include "cli/bench/report.h"
#include "cli/client/client.h"
#include "cli/output/progress.h"
#include "common/error.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::cli {

enum class Afterwards : std::uint8_t { clean_up, keep };
enum class Verify : std::uint8_t { running, restarted_too };

struct FleetBenchOptions {
  std::size_t agents = 0;
  std::chrono::milliseconds interval{1000};
  std::chrono::milliseconds duration{60'000};
  Phase phase = Phase::together;
  std::optional<ClientOptions> aggregator;  // a running one; nothing: one of our own
  std::string rules_preset = "none";        // of our own
  Afterwards afterwards = Afterwards::clean_up;
  Verify verify = Verify::running;
};

class FleetBench {
 public:
  /// The replay outlives the run.
  FleetBench(FleetBenchOptions options, const Replay& replay);
  ~FleetBench();

  /// SIGINT and SIGTERM end the phase under way, a second one all that follows but the report. Errors: those
  /// of the aggregator, Errc::limit for too few open files.
  Result<RunFigures> run();
  /// What the reader of the figures must know.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  Result<void> find_aggregator();
  Result<void> connect();
  Result<void> warm_up();
  Result<void> steady();
  void drain();
  Result<void> verify();
  Result<void> end();
  Result<void> end_own();
  void forget_hosts();
  Result<AggregatorFigures> look();
  /// Polls the fleet until `done`, at most for `patience`; false: not done in time, or interrupted.
  bool wait(std::string_view what, std::chrono::milliseconds patience, const std::function<double()>& share);
  Result<ReadBack> read_back_now(std::string_view what);
  Sent sent() const;
  void note_ends();
  void note_doubts();

  const FleetBenchOptions options_;
  const Replay& replay_;
  std::unique_ptr<OwnAggregator> own_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Fleet> fleet_;
  std::optional<Progress> progress_;
  RunFigures figures_;
  std::vector<std::string> notes_;
};

}  // namespace vigil::cli
