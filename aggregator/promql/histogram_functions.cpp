// Functions of classic histograms: series `..._bucket{le="BOUND"}` that count observations up to each bound.
#include "aggregator/promql/implementations.h"
#include "aggregator/promql/label_filter.h"

#include <cmath>
#include <limits>
#include <optional>

namespace vigil::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
/// Relative differences below this come from floating point, not from observations that went away.
constexpr double kSmallDelta = 1e-12;

struct Bucket {
  double bound = 0;
  double count = 0;  // of this and all lower buckets
};

/// The buckets of one histogram: their rows in the block, ascending in bound.
struct Histogram {
  LabelsPtr labels;
  std::vector<std::pair<double, std::size_t>> rows;
};

std::optional<double> parse_bound(std::string_view text) {
  const std::string copy(text);
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  if (copy.empty() || *end != '\0' || std::isspace(static_cast<unsigned char>(copy[0])) || std::isnan(value))
    return std::nullopt;
  return value;
}

std::vector<Histogram> find_histograms(Evaluator& evaluator, const Expr& at, const Block& block) {
  const LabelFilter filter = LabelFilter::all(block.names, {"le"});
  KeyIndex index;
  std::vector<Histogram> histograms;
  for (std::size_t i = 0; i < block.rows(); ++i) {
    const Labels& labels = *block.labels[i];
    const auto bound = parse_bound(labels.get("le"));
    if (!bound) {
      evaluator.warn(at,
                     fmt::format("bucket label \"le\" is missing or not a number (\"{}\") in metric \"{}\"",
                                 labels.get("le"), labels.get(kMetricName)));
      continue;
    }
    const std::size_t key = index.insert(labels, filter);
    if (key == histograms.size())
      histograms.push_back({std::make_shared<const Labels>(filter.apply(labels)), {}});
    histograms[key].rows.emplace_back(*bound, i);
  }
  for (Histogram& histogram : histograms) std::sort(histogram.rows.begin(), histogram.rows.end());
  return histograms;
}

/// What is there at one step; equal bounds written differently ("0.2", "2e-1") are one bucket.
void buckets_at(const Histogram& histogram, const Block& block, std::size_t step,
                std::vector<Bucket>& buckets) {
  buckets.clear();
  for (const auto& [bound, row] : histogram.rows) {
    const double count = block.row(row)[step];
    if (!has_value(count)) continue;
    if (!buckets.empty() && buckets.back().bound == bound) {
      buckets.back().count += count;
    } else {
      buckets.push_back({bound, count});
    }
  }
}

bool almost_equal(double a, double b) {
  if (a == b) return true;
  const double total = std::fabs(a) + std::fabs(b);
  const double difference = std::fabs(a - b);
  if (a == 0 || b == 0 || total < std::numeric_limits<double>::min())
    return difference < kSmallDelta * std::numeric_limits<double>::min();
  return difference / std::min(total, std::numeric_limits<double>::max()) < kSmallDelta;
}

/// Counts must not fall from bucket to bucket; rates of series scraped at different moments may. True when it
/// had to help.
bool make_monotonic(std::vector<Bucket>& buckets) {
  bool forced = false;
  double previous = buckets.front().count;
  for (Bucket& bucket : buckets) {
    if (almost_equal(previous, bucket.count)) {
      bucket.count = previous;
    } else if (bucket.count < previous) {
      bucket.count = previous;
      forced = true;
    }
    previous = bucket.count;
  }
  return forced;
}

double bucket_quantile(double q, std::vector<Bucket>& buckets, bool& forced) {
  if (std::isnan(q)) return kNaN;
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  if (buckets.back().bound != kInfinity) return kNaN;
  forced = make_monotonic(buckets) || forced;
  if (buckets.size() < 2 || buckets.back().count == 0 || std::isnan(buckets.back().count)) return kNaN;
  double rank = q * buckets.back().count;
  std::size_t at = 0;
  while (at + 1 < buckets.size() && buckets[at].count < rank) ++at;
  // Above the highest finite bound nothing is known but that bound, below 0 in the lowest bucket neither.
  if (at + 1 == buckets.size()) return buckets[at - 1].bound;
  if (at == 0 && buckets[0].bound <= 0) return buckets[0].bound;
  const double start = at == 0 ? 0 : buckets[at - 1].bound;
  double count = buckets[at].count;
  if (at > 0) {
    count -= buckets[at - 1].count;
    rank -= buckets[at - 1].count;
  }
  return start + (buckets[at].bound - start) * (rank / count);
}

/// How many observations lie below `value`, linearly within its bucket; buckets without a finite width are
/// not divided.
double observations_below(double value, const std::vector<Bucket>& buckets) {
  double below = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const double start = i > 0 ? buckets[i - 1].bound : buckets[i].bound > 0 ? 0 : -kInfinity;
    if (start >= value) return below;
    if (buckets[i].bound > value) {
      if (std::isinf(start)) return buckets[i].count;
      return below + (buckets[i].count - below) * (value - start) / (buckets[i].bound - start);
    }
    below = buckets[i].count;
  }
  return buckets.back().count;
}

double bucket_fraction(double lower, double upper, const std::vector<Bucket>& buckets) {
  if (buckets.back().bound != kInfinity) return kNaN;
  const double total = buckets.back().count;
  if (total == 0 || std::isnan(total) || std::isnan(lower) || std::isnan(upper)) return kNaN;
  if (lower >= upper) return 0;
  return (std::min(observations_below(upper, buckets), total) -
          std::min(observations_below(lower, buckets), total)) /
         total;
}

/// Calls `compute(buckets, step)` for each histogram and step with buckets.
template <class Compute>
Result<Block> each_histogram(Evaluator& evaluator, const Expr& argument, const Grid& grid, Compute compute) {
  const auto block = evaluator.eval(argument, grid);
  if (!block) return block.error();
  const std::vector<Histogram> histograms = find_histograms(evaluator, argument, *block);
  auto out = evaluator.new_block(grid, histograms.size());
  if (!out) return out;
  std::vector<Bucket> buckets;
  for (const Histogram& histogram : histograms) {
    const std::span<double> row = out->add_row(histogram.labels);
    for (std::size_t step = 0; step < grid.steps; ++step) {
      buckets_at(histogram, *block, step, buckets);
      if (!buckets.empty()) row[step] = compute(buckets, step);
    }
    if (!evaluator.pulse().working(histogram.rows.size() * grid.steps))
      return evaluator.pulse().check().error();
    out->drop_last_if_empty();
  }
  if (auto ok = drop_names(*out); !ok) return ok.error();
  return out;
}

}  // namespace

Result<Block> call_histogram_quantile(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto& call = std::get<Call>(expr.node);
  const auto q = evaluator.eval(*call.args[0], grid);
  if (!q) return q.error();
  for (const double value : q->values) {
    if (value >= 0 && value <= 1) continue;
    evaluator.warn(*call.args[0],
                   fmt::format("a quantile should be between 0 and 1, not {}", format_value(value)));
    break;
  }
  bool forced = false;
  auto out =
      each_histogram(evaluator, *call.args[1], grid, [&](std::vector<Bucket>& buckets, std::size_t step) {
        return bucket_quantile(q->values[step], buckets, forced);
      });
  if (out && forced)
    evaluator.inform(*call.args[1],
                     "bucket counts fell from bucket to bucket and were raised; the quantile is less exact");
  return out;
}

Result<Block> call_histogram_fraction(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto& call = std::get<Call>(expr.node);
  const auto lower = evaluator.eval(*call.args[0], grid);
  if (!lower) return lower.error();
  const auto upper = evaluator.eval(*call.args[1], grid);
  if (!upper) return upper.error();
  return each_histogram(evaluator, *call.args[2], grid, [&](std::vector<Bucket>& buckets, std::size_t step) {
    return bucket_fraction(lower->values[step], upper->values[step], buckets);
  });
}

}  // namespace vigil::promql
