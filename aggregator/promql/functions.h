// The function table: one line per PromQL function. The parser reads names and types from it, the evaluator
// the implementations. Internal to the engine.
//
// A function has one of four shapes, so that most are a line of arithmetic and the evaluator does steps,
// cursors, labels and duplicates for all of them.
#pragma once

#include "aggregator/promql/ast.h"
#include "aggregator/promql/block.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

namespace vigil::promql {

class Evaluator;

/// Each sample by itself: value and the scalar arguments of this step give the new value, or kNoValue.
using SampleFn = double (*)(double value, std::span<const double> scalars);

/// A part of the calendar; without an argument of the evaluation time. Takes Unix seconds.
using DateFn = double (*)(double unix_seconds);

/// The points of one series that one step sees: indices [first, last) and the bounds (start, end] in
/// milliseconds.
struct Window {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t eval_ms = 0;  // the step's own time, which offset and @ do not move
};

/// One series of a range vector with one window per step; both ends of the windows only advance, or all are
/// the same.
struct RangeSeries {
  std::span<const Point> points;  // without staleness markers
  std::span<const Window> windows;
  std::span<const double> scalar;  // the scalar argument, one value per step; empty when there is none
  Pulse* pulse = nullptr;          // long loops ask it whether to go on
};

/// A whole series at once, so that an implementation may carry what it knows from window to window. `out` has
/// one element per window, prefilled with kNoValue.
using RangeFn = void (*)(const RangeSeries& series, std::span<double> out);

/// Everything else: takes the call apart itself.
using BlockFn = Result<Block> (*)(Evaluator& evaluator, const Expr& expr, const Grid& grid);

/// What to tell the user about arguments that are probably a mistake.
enum class Hint : std::uint8_t { none, counter, quantile };

enum class NameRule : std::uint8_t { drops, keeps };

struct Function {
  std::string_view name;
  ValueType result = ValueType::vector;
  std::array<ValueType, 5> args = {};
  std::uint8_t min_args = 0;
  std::uint8_t max_args = 0;  // kVariadic: the last type repeats
  std::variant<SampleFn, DateFn, RangeFn, BlockFn> implementation;
  NameRule name_rule = NameRule::drops;  // range functions only; others decide by their shape
  Hint hint = Hint::none;
};

inline constexpr std::uint8_t kVariadic = 255;

/// How many of `args` are meant. The last one is that of all further arguments.
std::size_t named_arguments(const Function& function);

/// Null when there is no such function. Names are case-sensitive.
const Function* find_function(std::string_view name);

/// The names in the table, in its order; for suggestions and completion.
std::span<const Function> all_functions();

}  // namespace vigil::promql
