// The whole terminal: alternate screen, raw keys, restored whatever happens.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::cli {

struct ScreenSize {
  int columns = 100;
  int rows = 30;
};

/// The first lines of `frame`, such that an empty one and one for the keys fit below; with a line that says
/// how many there are more.
std::string fit_rows(std::string_view frame, std::size_t rows);

/// While it lives the terminal is in raw mode on the alternate screen. One at a time. Restores on destruction
/// and when the process is ended by SIGINT or SIGTERM.
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  ScreenSize size() const;
  /// Draws the frame from the top left; what does not fit is cut. One write, so that nothing flickers.
  void draw(const std::string& frame);
  /// The next key within `timeout`, or nothing. End of input and SIGINT read as 'q'.
  std::optional<char> key(std::chrono::milliseconds timeout);
  /// Any thread: whether SIGINT or SIGTERM asked to leave.
  static bool must_leave();
};

}  // namespace vigil::cli
