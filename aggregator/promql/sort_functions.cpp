// sort(), sort_desc(), sort_by_label() and sort_by_label_desc(): the order of an instant query's result.
#include "aggregator/promql/implementations.h"
#include "aggregator/promql/notes.h"
#include "common/text/ascii.h"

#include <cmath>
#include <numeric>

namespace vigil::promql {
namespace {

enum class Direction : std::uint8_t { ascending, descending };

/// The digits or the other characters at the front of `text`, which is shortened by them.
std::string_view take_run(std::string_view& text) {
  std::size_t length = 1;
  while (length < text.size() && is_digit(text[length]) == is_digit(text[0])) ++length;
  const std::string_view run = text.substr(0, length);
  text.remove_prefix(length);
  return run;
}

/// Numbers of any length by value.
int compare_digits(std::string_view a, std::string_view b) {
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

/// As people sort: "node-9" before "node-10".
int compare_naturally(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const bool numbers = is_digit(a[0]) && is_digit(b[0]);
    const std::string_view left = take_run(a);
    const std::string_view right = take_run(b);
    const int order = numbers ? compare_digits(left, right) : left.compare(right);
    if (order != 0) return order;
  }
  if (a.empty() != b.empty()) return a.empty() ? -1 : 1;
  return 0;
}

/// The rows in the order of `before(a, b)`; in a range query there is none to show.
template <class Before>
Result<Block> sorted(Evaluator& evaluator, const Expr& expr, const Grid& grid, Before before) {
  auto block = evaluator.eval(*std::get<Call>(expr.node).args[0], grid);
  if (!block) return block;
  if (evaluator.is_range_query()) {
    evaluator.warn(expr, std::string(notes::ineffective_sort()));
    return block;
  }
  if (grid.steps > 1) return block;  // inside a subquery
  std::vector<std::size_t> rows(block->rows());
  std::iota(rows.begin(), rows.end(), 0);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](std::size_t a, std::size_t b) { return before(*block, a, b); });
  auto out = evaluator.new_block(grid, rows.size());
  if (!out) return out;
  out->one_name = block->one_name;
  for (const std::size_t i : rows) out->add_row(block->labels[i], block->names[i])[0] = block->values[i];
  return out;
}

Result<Block> sorted_by_value(Evaluator& evaluator, const Expr& expr, const Grid& grid, Direction direction) {
  return sorted(evaluator, expr, grid, [direction](const Block& block, std::size_t a, std::size_t b) {
    const double x = block.values[a];
    const double y = block.values[b];
    if (std::isnan(x) || std::isnan(y)) return std::isnan(y) && !std::isnan(x);
    return direction == Direction::ascending ? x < y : x > y;
  });
}

Result<Block> sorted_by_label(Evaluator& evaluator, const Expr& expr, const Grid& grid, Direction direction) {
  const auto& call = std::get<Call>(expr.node);
  return sorted(evaluator, expr, grid, [&call, direction](const Block& block, std::size_t a, std::size_t b) {
    const Labels& x = *block.labels[a];
    const Labels& y = *block.labels[b];
    for (std::size_t i = 1; i < call.args.size(); ++i) {
      const std::string& name = string_argument(*call.args[i]);
      const int order = compare_naturally(x.get(name), y.get(name));
      if (order != 0) return direction == Direction::ascending ? order < 0 : order > 0;
    }
    return direction == Direction::ascending ? x < y : y < x;
  });
}

}  // namespace

Result<Block> call_sort(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  return sorted_by_value(evaluator, expr, grid, Direction::ascending);
}
Result<Block> call_sort_desc(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  return sorted_by_value(evaluator, expr, grid, Direction::descending);
}
Result<Block> call_sort_by_label(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  return sorted_by_label(evaluator, expr, grid, Direction::ascending);
}
Result<Block> call_sort_by_label_desc(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  return sorted_by_label(evaluator, expr, grid, Direction::descending);
}

}  // namespace vigil::promql
