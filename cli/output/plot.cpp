#include "cli/output/plot.h"

#include "common/text/human.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace vigil::cli {
namespace {

constexpr std::size_t kMaxSeries = 8;
constexpr std::array<std::string_view, kMaxSeries> kColours = {
    "\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m", "\x1b[34m", "\x1b[31m", "\x1b[96m", "\x1b[93m"};

struct Bounds {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  double last = std::nan("");
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
    last = value;
  }
};

Bounds bounds_of(const PlotSeries& series) {
  Bounds bounds;
  for (const double value : series.values) bounds.add(value);
  return bounds;
}

/// A raster of dots, and which series set a cell last.
class Canvas {
 public:
  Canvas(int columns, int rows)
      : columns_(columns),
        rows_(rows),
        dots_(static_cast<std::size_t>(columns * rows)),
        owner_(dots_.size(), -1) {}
  int width() const { return columns_ * 2; }
  int height() const { return rows_ * 4; }

  void set(int x, int y, int owner) {
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    // Dots of U+2800: the left column is bits 0, 1, 2, 6, the right one 3, 4, 5, 7.
    constexpr std::array<std::array<unsigned char, 4>, 2> kBits = {
        {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}}};
    const auto cell = static_cast<std::size_t>(y / 4) * static_cast<std::size_t>(columns_) +
                      static_cast<std::size_t>(x / 2);
    dots_[cell] |= kBits[static_cast<std::size_t>(x % 2)][static_cast<std::size_t>(y % 4)];
    owner_[cell] = owner;
  }

  void line(int x0, int y0, int x1, int y1, int owner) {
    const int steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= steps; ++i) set(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps, owner);
  }

  std::string row(int row, Colours colours) const {
    std::string out;
    for (int column = 0; column < columns_; ++column) {
      const auto cell = static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) +
                        static_cast<std::size_t>(column);
      if (dots_[cell] == 0) {
        out += ' ';
        continue;
      }
      if (colours == Colours::always) out += kColours[static_cast<std::size_t>(owner_[cell])];
      out += '\xE2';
      out += static_cast<char>(0xA0 | (dots_[cell] >> 6));
      out += static_cast<char>(0x80 | (dots_[cell] & 0x3F));
      if (colours == Colours::always) out += "\x1b[0m";
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
  }

 private:
  int columns_;
  int rows_;
  std::vector<unsigned char> dots_;
  std::vector<int> owner_;
};

void draw(Canvas& canvas, const PlotSeries& series, const Bounds& scale, int owner,
          const PlotOptions& options) {
  const double span = static_cast<double>(std::max<std::int64_t>(options.end_ms - options.start_ms, 1));
  int last_x = 0;
  int last_y = 0;
  std::int64_t last_t = 0;
  bool joined = false;
  for (std::size_t i = 0; i < series.values.size(); ++i) {
    if (!std::isfinite(series.values[i])) {
      joined = false;
      continue;
    }
    const std::int64_t t = series.times_ms[i];
    const int x = static_cast<int>(
        std::lround(static_cast<double>(t - options.start_ms) / span * (canvas.width() - 1)));
    const int y = static_cast<int>(
        std::lround((scale.high - series.values[i]) / (scale.high - scale.low) * (canvas.height() - 1)));
    if (joined && t - last_t <= 2 * options.step_ms) {
      canvas.line(last_x, last_y, x, y, owner);
    } else {
      canvas.set(x, y, owner);
    }
    last_x = x;
    last_y = y;
    last_t = t;
    joined = true;
  }
}

/// Room above and below, and zero in sight when it is near.
Bounds scale_of(const std::vector<Bounds>& all) {
  Bounds scale;
  for (const Bounds& bounds : all) {
    scale.low = std::min(scale.low, bounds.low);
    scale.high = std::max(scale.high, bounds.high);
  }
  if (scale.low > 0 && scale.low < scale.high * 0.5) scale.low = 0;
  if (scale.high - scale.low <= std::abs(scale.high) * 1e-12) {
    const double room = scale.high == 0 ? 1 : std::abs(scale.high) * 0.1;
    scale.low -= room;
    scale.high += room;
  }
  return scale;
}

/// Times under the drawing: the start at the left edge, the end at the right one.
std::string time_axis(const PlotOptions& options, int columns, int margin) {
  const bool same_day =
      format_local_time(options.start_ms).substr(0, 10) == format_local_time(options.end_ms).substr(0, 10);
  const auto label = [&](std::int64_t t) {
    return format_local_time(t).substr(same_day ? 11 : 5, same_day ? 8 : 11);
  };
  const std::string left = label(options.start_ms);
  const std::string right = label(options.end_ms);
  const int space = columns - static_cast<int>(left.size() + right.size());
  return std::string(static_cast<std::size_t>(margin), ' ') + left +
         std::string(static_cast<std::size_t>(std::max(space, 1)), ' ') + right + '\n';
}

/// What stands behind the mark of a line: on two lines where one is too narrow.
std::string legend(const std::string& name, const Bounds& bounds, const PlotOptions& options) {
  const std::string figures =
      std::isfinite(bounds.low)
          ? fmt::format("min {}  max {}  last {}", format_in(options.unit, bounds.low),
                        format_in(options.unit, bounds.high), format_in(options.unit, bounds.last))
          : "no values";
  constexpr std::size_t kMark = 3;
  const std::size_t room = static_cast<std::size_t>(std::max(options.width, 20)) - kMark;
  if (display_width(name) + 2 + display_width(figures) <= room) return name + "  " + figures + '\n';
  return shortened(name, room) + "\n   " + figures + '\n';
}

}  // namespace

std::string plot(const std::vector<PlotSeries>& series, const PlotOptions& options) {
  const std::size_t count = std::min(series.size(), kMaxSeries);
  std::vector<Bounds> bounds;
  for (std::size_t i = 0; i < count; ++i) bounds.push_back(bounds_of(series[i]));
  const auto is_drawn = [](const Bounds& each) { return std::isfinite(each.low); };
  if (std::ranges::none_of(bounds, is_drawn))
    return "There are no values to draw: all are NaN or infinite.\n";
  const Bounds scale = scale_of(bounds);
  const int rows = std::max(options.height, 2);
  const AxisScale axis{options.unit, std::max(std::abs(scale.low), std::abs(scale.high)),
                       scale.high - scale.low};
  std::vector<std::string> labels;
  std::size_t margin = 0;
  for (int row = 0; row < rows; ++row) {
    const bool shown = row == 0 || row == rows - 1 || (rows >= 5 && row == rows / 2);
    const double value = scale.high - (scale.high - scale.low) * row / (rows - 1);
    labels.push_back(shown ? axis_label(value, axis) : "");
    margin = std::max(margin, labels.back().size());
  }
  const int columns = std::max(options.width, 20) - static_cast<int>(margin) - 2;
  Canvas canvas(std::max(columns, 8), rows);
  for (std::size_t i = 0; i < count; ++i) draw(canvas, series[i], scale, static_cast<int>(i), options);

  std::string out;
  for (int row = 0; row < rows; ++row) {
    const std::string& label = labels[static_cast<std::size_t>(row)];
    out += std::string(margin - label.size(), ' ') + label + (label.empty() ? " │" : " ┤") +
           canvas.row(row, options.colours) + '\n';
  }
  out += time_axis(options, std::max(columns, 8), static_cast<int>(margin) + 2);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string mark =
        options.colours == Colours::always ? std::string(kColours[i]) + "━━\x1b[0m" : "━━";
    out += mark + ' ' + legend(series[i].name, bounds[i], options);
  }
  if (series.size() > count) out += fmt::format("   and {} more series\n", series.size() - count);
  return out;
}

std::string sparkline(const std::vector<double>& values, double low, double high) {
  constexpr std::array<std::string_view, 8> kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::string out;
  for (const double value : values) {
    if (!std::isfinite(value)) {
      out += ' ';
      continue;
    }
    const double share = high > low ? std::clamp((value - low) / (high - low), 0.0, 1.0) : 0;
    out += kBars[static_cast<std::size_t>(std::lround(share * 7))];
  }
  return out;
}

}  // namespace vigil::cli
