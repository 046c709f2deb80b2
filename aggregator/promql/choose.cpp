// Aggregations that pass rows on as they are: topk, bottomk, limitk, limit_ratio.
#include "aggregator/promql/groups.h"
#include "aggregator/promql/notes.h"

#include <cmath>

namespace vigil::promql {
namespace {

// The largest double below 2^63; Prometheus refuses parameters that its int64 cannot hold.
constexpr double kMaxInt64 = 9223372036854774784.0;

/// Where in [0, 1) a label set falls. The same in every query, whatever the order of the rows.
double place_of(const Labels& labels) {
  // FNV leaves its high bits poorly mixed; these steps are those of SplitMix64.
  std::uint64_t hash = labels.hash();
  hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBULL;
  return std::ldexp(static_cast<double>((hash ^ (hash >> 31)) >> 11), -53);
}

std::vector<double> places(const Block& block) {
  std::vector<double> out;
  for (const LabelsPtr& labels : block.labels) out.push_back(place_of(*labels));
  return out;
}

/// Whether row `a` is taken before row `b` at a step. Ties fall to the order of the rows.
class Order {
 public:
  Order(AggregateOp op, const Block& block)
      : op_(op), block_(block), places_(op == AggregateOp::limitk ? places(block) : std::vector<double>()) {}

  bool before(std::size_t a, std::size_t b, std::size_t step) const {
    if (op_ == AggregateOp::limitk) return places_[a] != places_[b] ? places_[a] < places_[b] : a < b;
    const double x = block_.row(a)[step];
    const double y = block_.row(b)[step];
    if (std::isnan(x) != std::isnan(y)) return std::isnan(y);  // NaN behind every number
    if (x != y && !std::isnan(x)) return op_ == AggregateOp::topk ? x > y : x < y;
    return a < b;
  }

 private:
  AggregateOp op_;
  const Block& block_;
  std::vector<double> places_;
};

/// Per step and group the rows chosen, first one first, handed to `take(row, step)`.
template <class Take>
bool each_chosen(Evaluator& evaluator, const Choice& choice, const Order& order, Take take) {
  const auto rows = members(choice.groups);
  std::vector<std::size_t> present;
  for (std::size_t step = 0; step < choice.block.steps; ++step) {
    const double wanted = choice.param.values[step];
    if (wanted < 1) continue;
    for (const std::vector<std::size_t>& group : rows) {
      present.clear();
      std::ranges::copy_if(group, std::back_inserter(present),
                           [&](std::size_t i) { return has_value(choice.block.row(i)[step]); });
      const std::size_t k =
          wanted < static_cast<double>(present.size()) ? static_cast<std::size_t>(wanted) : present.size();
      std::partial_sort(present.begin(), present.begin() + static_cast<std::ptrdiff_t>(k), present.end(),
                        [&](std::size_t a, std::size_t b) { return order.before(a, b, step); });
      for (std::size_t i = 0; i < k; ++i) take(present[i], step);
      if (!evaluator.pulse().working(group.size())) return false;
    }
  }
  return true;
}

Result<void> check_k(const Block& param) {
  for (const double k : param.values) {
    if (std::isnan(k)) return fail(Errc::invalid_argument, "Parameter value is NaN");
    if (std::fabs(k) > kMaxInt64) {
      return fail(Errc::invalid_argument, "Scalar value {} {} int64", notes::number(k),
                  k > 0 ? "overflows" : "underflows");
    }
  }
  return {};
}

/// All rows of `block` without values.
Result<Block> blank_copy(Evaluator& evaluator, const Block& block) {
  auto out = evaluator.new_block({0, 1, block.steps}, block.rows());
  if (!out) return out;
  out->one_name = block.one_name;
  for (std::size_t i = 0; i < block.rows(); ++i) out->add_row(block.labels[i], block.names[i]);
  return out;
}

/// The parameter of limit_ratio at one step, within its bounds.
double used_ratio(Evaluator& evaluator, const Expr& at, double ratio) {
  const double used = std::clamp(ratio, -1.0, 1.0);
  if (used != ratio) evaluator.warn(at, notes::invalid_ratio(ratio, used));
  return used;
}

}  // namespace

Result<Block> choose_k(Evaluator& evaluator, AggregateOp op, const Choice& choice) {
  if (auto ok = check_k(choice.param); !ok) return ok.error();
  const Block& block = choice.block;
  const Order order(op, block);
  if (block.steps == 1) {  // in the order of the values, which an instant query shows
    auto out = evaluator.new_block({0, 1, 1}, block.rows());
    if (!out) return out;
    out->one_name = block.one_name;
    const bool done = each_chosen(evaluator, choice, order, [&](std::size_t i, std::size_t) {
      out->add_row(block.labels[i], block.names[i])[0] = block.values[i];
    });
    if (!done) return evaluator.pulse().check().error();
    return out;
  }
  auto out = blank_copy(evaluator, block);
  if (!out) return out;
  const bool done = each_chosen(evaluator, choice, order, [&](std::size_t i, std::size_t step) {
    out->row(i)[step] = block.row(i)[step];
  });
  if (!done) return evaluator.pulse().check().error();
  out->drop_empty_rows();
  return out;
}

Result<Block> choose_ratio(Evaluator& evaluator, const Expr& at, const Choice& choice) {
  std::vector<double> ratios;
  for (const double ratio : choice.param.values) {
    if (std::isnan(ratio)) return fail(Errc::invalid_argument, "Ratio value is NaN");
    ratios.push_back(used_ratio(evaluator, at, ratio));
  }
  auto out = blank_copy(evaluator, choice.block);
  if (!out) return out;
  for (std::size_t i = 0; i < choice.block.rows(); ++i) {
    const double place = place_of(*choice.block.labels[i]);
    for (std::size_t step = 0; step < ratios.size(); ++step) {
      // A negative ratio takes exactly what the positive one that complements it leaves.
      const bool taken = ratios[step] >= 0 ? place < ratios[step] : place >= 1 + ratios[step];
      if (taken) out->row(i)[step] = choice.block.row(i)[step];
    }
    if (!evaluator.pulse().working(ratios.size())) return evaluator.pulse().check().error();
  }
  out->drop_empty_rows();
  return out;
}

}  // namespace vigil::promql
