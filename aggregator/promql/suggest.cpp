#include "aggregator/promql/suggest.h"

#include "aggregator/promql/ast.h"
#include "aggregator/promql/functions.h"
#include "common/text/letter_case.h"

#include <numeric>

namespace vigil::promql {
namespace {

struct Advice {
  std::string_view name;
  std::string_view text;
};

constexpr std::string_view kFloatsOnly = "it reads native histograms, and vigil has float samples only";

constexpr std::array<Advice, 10> kAdvice = {{
    {"holt_winters", "it is called double_exponential_smoothing() since Prometheus 3"},
    {"histogram_avg", kFloatsOnly},
    {"histogram_count", kFloatsOnly},
    {"histogram_stddev", kFloatsOnly},
    {"histogram_stdvar", kFloatsOnly},
    {"histogram_sum", kFloatsOnly},
    {"log", "did you mean ln(), log2() or log10()?"},
    {"mean", "did you mean avg()?"},
    {"mean_over_time", "did you mean avg_over_time()?"},
    {"median", "use quantile(0.5, ...)"},
}};

/// How many characters must be inserted, removed, replaced or swapped with their neighbour to make one from
/// the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string closest(std::string_view name) {
  std::string_view best;
  std::size_t least = 1 + std::max<std::size_t>(1, name.size() / 4);
  const auto consider = [&](std::string_view candidate) {
    if (const std::size_t changes = distance(name, candidate); changes < least) {
      best = candidate;
      least = changes;
    }
  };
  for (const Function& function : all_functions()) consider(function.name);
  for (std::size_t op = 0; op < kAggregateOps; ++op) consider(to_string(static_cast<AggregateOp>(op)));
  return std::string(best);
}

}  // namespace

std::string suggest_function(std::string_view name) {
  constexpr std::size_t kLongestName = 64;
  if (name.size() > kLongestName) return "";
  const std::string lower = lower_case(name);
  const auto known = std::ranges::find(kAdvice, lower, &Advice::name);
  if (known != kAdvice.end()) return fmt::format("; {}", known->text);
  const std::string best = closest(lower);
  return best.empty() ? "" : fmt::format("; did you mean {}()?", best);
}

}  // namespace vigil::promql
