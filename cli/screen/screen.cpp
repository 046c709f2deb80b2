#include "cli/screen/screen.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <string_view>

namespace vigil::cli {
namespace {

termios g_before{};           // what restore() puts back; only one Screen at a time
std::atomic<int> g_stop = 0;  // lock-free, so a signal handler may set it
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int) {
  g_stop = 1;
}

void put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written <= 0) return;  // the terminal is gone; the next key() ends the program
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// The first `columns` cells of a line that may contain colour sequences, which take no room.
std::string cut(std::string_view line, int columns) {
  std::string out;
  int used = 0;
  for (std::size_t i = 0; i < line.size();) {
    if (line[i] == '\x1b') {
      const std::size_t end = std::min(line.find('m', i), line.size() - 1);
      out += line.substr(i, end - i + 1);
      i = end + 1;
      continue;
    }
    std::size_t length = 1;
    while (i + length < line.size() && (static_cast<unsigned char>(line[i + length]) & 0xC0) == 0x80)
      ++length;
    if (used++ < columns) out += line.substr(i, length);
    i += length;
  }
  return out;
}

}  // namespace

std::string fit_rows(std::string_view frame, std::size_t rows) {
  constexpr std::size_t kBelow = 2;
  constexpr std::size_t kFewest = 3;
  const auto lines = static_cast<std::size_t>(std::count(frame.begin(), frame.end(), '\n'));
  const std::size_t room = std::max(rows, kBelow + kFewest) - kBelow;
  if (lines <= room) return std::string(frame) + '\n';
  std::size_t end = 0;
  for (std::size_t i = 0; i + 1 < room; ++i) end = frame.find('\n', end) + 1;
  return fmt::format("{}… {} more lines: a taller window shows them\n\n", frame.substr(0, end),
                     lines + 1 - room);
}

Screen::Screen() {
  ::tcgetattr(STDIN_FILENO, &g_before);
  termios raw = g_before;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  g_stop = 0;
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  put("\x1b[?1049h\x1b[?25l");  // alternate screen, no cursor
}

Screen::~Screen() {
  put("\x1b[?25h\x1b[?1049l");
  ::tcsetattr(STDIN_FILENO, TCSANOW, &g_before);
}

ScreenSize Screen::size() const {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row};
}

void Screen::draw(const std::string& frame) {
  const ScreenSize room = size();
  std::string out = "\x1b[H";
  std::string_view rest = frame;
  for (int row = 0; row < room.rows && !rest.empty(); ++row) {
    const std::size_t end = rest.find('\n');
    if (row > 0) out += "\r\n";
    out += cut(rest.substr(0, end), room.columns) + "\x1b[0m\x1b[K";
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  out += "\x1b[J";
  put(out);
}

bool Screen::must_leave() {
  return g_stop != 0;
}

std::optional<char> Screen::key(std::chrono::milliseconds timeout) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const int ready = ::poll(&input, 1, static_cast<int>(timeout.count()));
  if (g_stop != 0) return 'q';
  if (ready <= 0) return std::nullopt;
  char key = 0;
  return ::read(STDIN_FILENO, &key, 1) == 1 ? key : 'q';
}

}  // namespace vigil::cli
