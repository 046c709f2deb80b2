// How far something long has come, on standard error, when that is a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace vigil::cli {

struct Progress {
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::chrono::duration<double> elapsed{};
  std::string what;
};

/// "[########------------]  40 %  1.2 GiB of 3 GiB  120 MiB/s  verifying raw-20261122-7.db", cut to `width`
/// columns.
std::string progress_line(const Progress& progress, std::size_t width);

class ProgressBar {
 public:
  ProgressBar();
  /// Clears the line.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  /// As often as one likes: it draws ten times a second at most.
  void show(std::uint64_t done_bytes, std::uint64_t total_bytes, const std::string& what);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  const bool terminal_;
  const Clock::time_point began_;
  Clock::time_point next_{};
  bool drawn_ = false;
};

}  // namespace vigil::cli
