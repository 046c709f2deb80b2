// How far a command that takes long has come: one line on the terminal, drawn over and over on standard
// error, so that output stays clean. Says nothing where standard error is no terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace vigil::cli {

/// "reading back [########------------]  40 %  400 of 1000 agents", cut to `width`. `share`: 0 to 1.
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

}  // namespace vigil::cli
