// How far a command that takes long has come: one line on the terminal, drawn over and over on standard
// error, so that output stays clean. Says nothing where standard error is no terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::cli {

/// "reading back [########------------]  40 %  400 of 1000 agents", cut to `width`; without `what` it begins
/// with the bar. `share`: 0 to 1.
std::string progress_line(std::string_view what, double share, std::string_view detail, std::size_t width);

class Progress {
 public:
  Progress();
  /// Wipes the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Draws, unless it did less than a tenth of a second ago.
  void show(std::string_view what, double share, std::string_view detail);

 private:
  const bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_{};
};

/// "1.00 GiB of 4.00 GiB  128 MiB/s  verifying raw-20261122-7.db".
std::string byte_detail(std::uint64_t done, std::uint64_t total, std::chrono::duration<double> elapsed,
                        std::string_view what);

/// Of bytes, from its construction on.
class ByteProgress {
 public:
  void show(std::uint64_t done, std::uint64_t total, std::string_view what);

 private:
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  Progress progress_;
};

}  // namespace vigil::cli
