#include "cli/screen/progress.h"

#include "cli/output/listing.h"
#include "common/text/human.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace vigil::cli {
namespace {

constexpr std::size_t kBarColumns = 20;
constexpr std::size_t kUsualWidth = 80;

std::size_t width_of_errors() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsualWidth;
}

}  // namespace

std::string progress_line(const Progress& progress, std::size_t width) {
  const double total = std::max<double>(static_cast<double>(progress.total_bytes), 1);
  const double share = std::min(static_cast<double>(progress.done_bytes) / total, 1.0);
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(kBarColumns));
  const double seconds = progress.elapsed.count();
  const double rate = seconds > 0 ? static_cast<double>(progress.done_bytes) / seconds : 0;
  std::string line =
      fmt::format("[{}{}] {:3.0f} %  {} of {}  {}/s  {}", std::string(filled, '#'),
                  std::string(kBarColumns - filled, '-'), share * 100,
                  format_bytes(static_cast<double>(progress.done_bytes)),
                  format_bytes(static_cast<double>(progress.total_bytes)), format_bytes(rate), progress.what);
  if (line.size() > width) line.resize(width);  // file names here have one byte a column
  return line;
}

ProgressBar::ProgressBar() : terminal_(::isatty(STDERR_FILENO) == 1), began_(Clock::now()) {}

ProgressBar::~ProgressBar() {
  clear();
}

void ProgressBar::show(std::uint64_t done_bytes, std::uint64_t total_bytes, const std::string& what) {
  const auto now = Clock::now();
  if (!terminal_ || now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  drawn_ = true;
  fmt::print(stderr, "\r{}\x1b[K",
             progress_line({done_bytes, total_bytes, now - began_, what}, width_of_errors() - 1));
  std::fflush(stderr);
}

void ProgressBar::clear() {
  if (!drawn_) return;
  drawn_ = false;
  fmt::print(stderr, "\r\x1b[K");
}

}  // namespace vigil::cli
