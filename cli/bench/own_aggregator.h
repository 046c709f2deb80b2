// An aggregator of our own for the time of a measurement: in a temporary folder, on ports nobody else has,
// with limits that do not bite. It dies with us.
#pragma once

#include "cli/bench/process_figures.h"
#include "common/error.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace vigil::cli {

struct OwnAggregatorOptions {
  std::size_t agents = 0;
  std::size_t series = 0;             // of each agent
  std::string rules_preset = "none";  // none, production, ...
};

/// What the process had cost when it ended, and its folder's size.
struct EndFigures {
  ProcessFigures process;
  std::uint64_t disk_bytes = 0;
};

class OwnAggregator {
 public:
  /// Starts it and waits until it is ready. Errors: Errc::not_found (no vigil-aggregator), Errc::io,
  /// Errc::unavailable with what it said last.
  static Result<std::unique_ptr<OwnAggregator>> start(const OwnAggregatorOptions& options);
  /// Kills it if it still runs, and removes the folder unless it is to be kept.
  ~OwnAggregator();
  OwnAggregator(const OwnAggregator&) = delete;
  OwnAggregator& operator=(const OwnAggregator&) = delete;

  /// host:port of its gRPC port.
  const std::string& address() const { return address_; }
  const std::string& folder() const { return folder_; }
  /// Whether the folder is in memory: nothing is written to a disk then.
  bool in_memory() const;
  void keep() { keep_ = true; }
  Result<ProcessFigures> figures() const { return process_figures(pid_); }
  /// Whether it has ended without being asked to; its last words.
  std::optional<std::string> died();
  /// SIGTERM, upon which it seals what it holds; waits for it, calling `meanwhile` all the time.
  Result<EndFigures> stop(std::chrono::milliseconds patience, const std::function<void()>& meanwhile);
  /// Starts it again on the same folder, after stop().
  Result<void> restart();

 private:
  OwnAggregator() = default;
  Result<void> prepare(const OwnAggregatorOptions& options);
  Result<void> launch();
  Result<void> spawn();
  Result<void> wait_until_ready();
  /// Whether it has ended; it stays a zombie, so that its figures can still be read.
  bool ended() const;
  std::string last_words() const;

  std::string program_;
  std::string folder_;
  std::string address_;
  int log_ = -1;  // its standard error: a file in memory, so that it costs no writes
  pid_t pid_ = -1;
  bool keep_ = false;
};

}  // namespace vigil::cli
