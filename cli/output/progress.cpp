#include "cli/output/progress.h"

#include "cli/output/listing.h"
#include "common/text/human.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace vigil::cli {
namespace {

constexpr std::chrono::milliseconds kBetweenDraws{100};
constexpr int kCells = 24;  // of the bar

std::size_t width_of_terminal() {
  constexpr std::size_t kUnknown = 80;
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUnknown;
}

}  // namespace

std::string progress_line(std::string_view what, double share, std::string_view detail, std::size_t width) {
  share = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0;
  const auto full = static_cast<std::size_t>(std::lround(share * kCells));
  std::string line = what.empty() ? "" : fmt::format("{:<13}", what);
  line += fmt::format("[{}{}] {:3.0f} %  {}", std::string(full, '#'), std::string(kCells - full, '-'),
                      std::floor(share * 100), detail);
  if (line.size() >= width) line.resize(width > 0 ? width - 1 : 0);  // a full line would wrap
  return line;
}

Progress::Progress() : terminal_(::isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
}

void Progress::show(std::string_view what, double share, std::string_view detail) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now < next_) return;
  next_ = now + kBetweenDraws;
  drawn_ = true;
  fmt::print(stderr, "\r{}\x1b[K", progress_line(what, share, detail, width_of_terminal()));
  std::fflush(stderr);
}

std::string byte_detail(std::uint64_t done, std::uint64_t total, std::chrono::duration<double> elapsed,
                        std::string_view what) {
  const auto bytes = static_cast<double>(done);
  const double rate = elapsed.count() > 0 ? bytes / elapsed.count() : 0;
  return fmt::format("{} of {}  {}/s  {}", format_bytes(bytes), format_bytes(static_cast<double>(total)),
                     format_bytes(rate), what);
}

void ByteProgress::show(std::uint64_t done, std::uint64_t total, std::string_view what) {
  const double share = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
  progress_.show("", share, byte_detail(done, total, std::chrono::steady_clock::now() - began_, what));
}

}  // namespace vigil::cli
