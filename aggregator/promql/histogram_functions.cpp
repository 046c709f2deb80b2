// Functions of classic histograms: series `..._bucket{le="BOUND"}` that count observations up to each bound.
#include "aggregator/promql/implementations.h"
#include "aggregator/promql/label_filter.h"
#include "aggregator/promql/literals.h"
#include "aggregator/promql/notes.h"

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
  const LabelFilter filter = LabelFilter::all({"le"});
  KeyIndex index;
  std::vector<Histogram> histograms;
  for (std::size_t i = 0; i < block.rows(); ++i) {
    const Labels& labels = *block.labels[i];
    const auto bound = parse_bound(labels.get("le"));
    if (!bound) {
      evaluator.warn(at, notes::bad_bucket(labels.get("le"), labels.get(kMetricName)));
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

/// Calls `compute(histogram, buckets, step)` for each histogram and step with buckets.
template <class Compute>
Result<void> each_histogram(Evaluator& evaluator, const std::vector<Histogram>& histograms,
                            const Block& block, Compute compute) {
  std::vector<Bucket> buckets;
  for (std::size_t i = 0; i < histograms.size(); ++i) {
    for (std::size_t step = 0; step < block.steps; ++step) {
      buckets_at(histograms[i], block, step, buckets);
      if (!buckets.empty()) compute(i, buckets, step);
    }
    if (!evaluator.pulse().working(histograms[i].rows.size() * block.steps))
      return evaluator.pulse().check().error();
  }
  return {};
}

/// One row per histogram, whose name will be dropped.
Result<Block> result_block(Evaluator& evaluator, const std::vector<Histogram>& histograms,
                           const Block& block) {
  auto out = evaluator.new_block({0, 1, block.steps}, histograms.size());
  if (!out) return out;
  out->one_name = block.one_name;
  for (const Histogram& histogram : histograms) out->add_row(histogram.labels, Names::dropped);
  return out;
}

/// The scalar argument `i`, whose values should be quantiles.
Result<Block> eval_quantile(Evaluator& evaluator, const Expr& argument, const Grid& grid) {
  auto q = evaluator.eval(argument, grid);
  if (!q) return q;
  for (const double value : q->values) {
    if (value >= 0 && value <= 1) continue;
    evaluator.warn(argument, notes::invalid_quantile(value));
    break;
  }
  return q;
}

Result<Block> quantile_block(Evaluator& evaluator, const std::vector<Histogram>& histograms,
                             const Block& block, const Block& q, const Expr& at) {
  auto out = result_block(evaluator, histograms, block);
  if (!out) return out;
  const auto compute = [&](std::size_t i, std::vector<Bucket>& buckets, std::size_t step) {
    bool forced = false;
    out->row(i)[step] = bucket_quantile(q.values[step], buckets, forced);
    if (forced) evaluator.inform(at, notes::forced_monotonic(histograms[i].labels->get(kMetricName)));
  };
  if (auto ok = each_histogram(evaluator, histograms, block, compute); !ok) return ok.error();
  out->drop_empty_rows();
  return out;
}

/// How OpenMetrics writes a number: with a decimal point.
std::string open_metrics_number(double value) {
  std::string out = notes::number(value);
  if (std::isfinite(value) && out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

/// Appends the rows of `from` with each step's quantile as one more label.
Result<void> append_labelled(Evaluator& evaluator, Block& out, const Block& from, const Block& q,
                             const std::string& label) {
  std::map<std::string, std::size_t> first_rows;
  for (std::size_t step = 0; step < from.steps; ++step) {
    const auto [at, added] = first_rows.emplace(open_metrics_number(q.values[step]), out.rows());
    if (added) {
      if (auto ok = evaluator.pulse().hold(from.values.size()); !ok) return ok;
      for (std::size_t i = 0; i < from.rows(); ++i) {
        Labels labels = *from.labels[i];
        labels.set(label, at->first);
        out.add_row(std::make_shared<const Labels>(std::move(labels)), from.names[i]);
      }
    }
    for (std::size_t i = 0; i < from.rows(); ++i) out.row(at->second + i)[step] = from.row(i)[step];
  }
  return {};
}

}  // namespace

Result<Block> call_histogram_quantile(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto& call = std::get<Call>(expr.node);
  const auto q = eval_quantile(evaluator, *call.args[0], grid);
  if (!q) return q.error();
  const auto block = evaluator.eval(*call.args[1], grid);
  if (!block) return block.error();
  const std::vector<Histogram> histograms = find_histograms(evaluator, *call.args[1], *block);
  return quantile_block(evaluator, histograms, *block, *q, *call.args[1]);
}

Result<Block> call_histogram_quantiles(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto& call = std::get<Call>(expr.node);
  const std::string& label = string_argument(*call.args[1]);
  if (label.empty() || !is_utf8(label))
    return fail(Errc::invalid_argument, "{}:{}: invalid label name {}", expr.line, expr.column, quote(label));
  const auto block = evaluator.eval(*call.args[0], grid);
  if (!block) return block.error();
  const std::vector<Histogram> histograms = find_histograms(evaluator, *call.args[0], *block);
  Block out = make_block(grid);
  for (std::size_t i = 2; i < call.args.size(); ++i) {
    const auto q = eval_quantile(evaluator, *call.args[i], grid);
    if (!q) return q.error();
    const auto quantiles = quantile_block(evaluator, histograms, *block, *q, *call.args[0]);
    if (!quantiles) return quantiles.error();
    if (auto ok = append_labelled(evaluator, out, *quantiles, *q, label); !ok) return ok.error();
  }
  out.held = Held(evaluator.pulse(), out.values.size());
  out.drop_empty_rows();
  if (auto ok = merge_duplicates(out); !ok) return ok.error();
  return out;
}

Result<Block> call_histogram_fraction(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto& call = std::get<Call>(expr.node);
  const auto lower = evaluator.eval(*call.args[0], grid);
  if (!lower) return lower.error();
  const auto upper = evaluator.eval(*call.args[1], grid);
  if (!upper) return upper.error();
  const auto block = evaluator.eval(*call.args[2], grid);
  if (!block) return block.error();
  const std::vector<Histogram> histograms = find_histograms(evaluator, *call.args[2], *block);
  auto out = result_block(evaluator, histograms, *block);
  if (!out) return out;
  const auto compute = [&](std::size_t i, std::vector<Bucket>& buckets, std::size_t step) {
    out->row(i)[step] = bucket_fraction(lower->values[step], upper->values[step], buckets);
  };
  if (auto ok = each_histogram(evaluator, histograms, *block, compute); !ok) return ok.error();
  out->drop_empty_rows();
  return out;
}

}  // namespace vigil::promql
