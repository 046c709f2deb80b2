// The tree walk behind evaluate_instant() and evaluate_range(). Internal: evaluator.cpp dispatches,
// select.cpp reads series, binary.cpp and aggregate.cpp do their node, *_functions.cpp the calls.
#pragma once

#include "aggregator/promql/block.h"
#include "aggregator/promql/functions.h"
#include "aggregator/promql/repeated.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace vigil::promql {

/// A range vector over a grid: points once per series, and what each step sees of them.
struct RangeVector {
  std::vector<SelectedSeries> series;  // points without staleness markers
  std::vector<Window> windows;         // bounds per step; first and last are per series, see place_windows()
  Names names = Names::kept;
  bool one_name = false;
  Held held;
};

/// Sets first and last of each window for these points with two cursors that only advance.
void place_windows(std::span<const Point> points, std::vector<Window>& windows);

/// What of a result comes from a coarser tier.
struct Coarse {
  std::int64_t until_ms = std::numeric_limits<std::int64_t>::min();
  std::int64_t apart_ms = 0;

  void see(const SelectedSeries& series) {
    if (!series.points.empty() && series.points.front().t_ms < series.coarse_until_ms)
      join({series.coarse_until_ms, series.coarse_ms});
  }
  void join(const Coarse& other) {
    until_ms = std::max(until_ms, other.until_ms);
    apart_ms = std::max(apart_ms, other.apart_ms);
  }
};

class Evaluator {
 public:
  /// `expr` is the whole query, and `start_ms` and `end_ms` are its: what start() and end() mean.
  Evaluator(const Expr& expr, Storage& storage, const EvalOptions& options, std::int64_t start_ms,
            std::int64_t end_ms)
      : storage_(storage),
        options_(options),
        start_ms_(start_ms),
        end_ms_(end_ms),
        pulse_(options),
        repeated_(expr) {}

  /// A scalar or an instant vector at each step.
  Result<Block> eval(const Expr& expr, const Grid& grid);
  /// A range vector at each step.
  Result<RangeVector> eval_ranges(const Expr& expr, const Grid& grid);

  enum class Take : std::uint8_t { value, timestamp_seconds };
  /// The latest sample of each series within the lookback of each step.
  Result<Block> eval_selector(const VectorSelector& selector, const Grid& grid, Take take);

  /// An empty block after accounting for `rows` rows.
  Result<Block> new_block(const Grid& grid, std::size_t rows);

  Pulse& pulse() { return pulse_; }
  void warn(const Expr& at, std::string text);
  void inform(const Expr& at, std::string text);
  Annotations take_annotations();

 private:
  /// The value of an expression that the query needs again.
  struct Kept {
    Block block;
    std::size_t uses = 0;  // that are to come
  };
  Result<Block> eval_node(const Expr& expr, const Grid& grid);
  Result<Block> eval_once(const Expr& expr, const Grid& grid);
  Result<Block> copy(const Block& block);
  Result<Block> eval_unary(const Unary& unary, const Grid& grid);
  Result<Block> eval_call(const Expr& expr, const Grid& grid);
  Result<Block> apply_samples(const Expr& expr, const Grid& grid, SampleFn apply);
  Result<Block> apply_date(const Expr& expr, const Grid& grid, DateFn apply);
  Result<Block> apply_ranges(const Expr& expr, const Grid& grid, RangeFn apply);
  Result<Block> apply_to_selected(const MatrixSelector& matrix, const Grid& grid, RangeFn apply,
                                  std::span<const double> scalar);
  Result<Block> apply_to_subquery(const Subquery& subquery, const Grid& grid, RangeFn apply,
                                  std::span<const double> scalar);
  void hint(const Expr& expr, const Block& result, std::span<const double> scalar);

  Result<RangeVector> eval_matrix(const MatrixSelector& matrix, const Grid& grid);
  Result<RangeVector> eval_subquery(const Subquery& subquery, const Grid& grid);
  Result<std::vector<SelectedSeries>> select(const Selection& selection, Held& held);
  void note(const Coarse& coarse);
  /// The time that a step means to a selector, after @ and offset.
  std::int64_t reference(const TimeShift& shift, const Grid& grid, std::size_t step) const;
  std::vector<Window> make_windows(const TimeShift& shift, std::int64_t range_ms, const Grid& grid) const;

  Storage& storage_;
  const EvalOptions& options_;
  const std::int64_t start_ms_;
  const std::int64_t end_ms_;
  Pulse pulse_;
  Coarse coarse_;
  const Repeated repeated_;
  std::map<std::string, Kept> kept_;  // by what repeated_ calls it, and grid
  std::set<std::string> warnings_;
  std::set<std::string> infos_;
};

/// Nodes with their own file. Children are evaluated by `evaluator`.
Result<Block> eval_binary(Evaluator& evaluator, const Binary& binary, const Grid& grid);
Result<Block> eval_aggregate(Evaluator& evaluator, const Expr& expr, const Grid& grid);

/// True when the value does not depend on the evaluation time: literals and selectors with @, and what is
/// made of them.
bool is_step_invariant(const Expr& expr);

/// The text of a string argument, parentheses or not.
const std::string& string_argument(const Expr& expr);

}  // namespace vigil::promql
