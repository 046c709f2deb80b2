// Makes a well-formed query and series out of the fuzzer's bytes, so that it explores the engine and not the
// parser's refusals.
#pragma once

#include "aggregator/promql/functions.h"
#include "tests/promql/memory_storage.h"

#include <cmath>
#include <string>

namespace vigil::promql {

/// The fuzzer's bytes, one decision each; zeros once they are used up, so that every input ends.
class Decisions {
 public:
  Decisions(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::size_t below(std::size_t limit) { return next() % limit; }
  bool chance(std::size_t one_in) { return below(one_in) == one_in - 1; }
  template <class T, std::size_t N>
  const T& of(const T (&choices)[N]) {
    return choices[below(N)];
  }
  bool empty() const { return pos_ >= size_; }

 private:
  std::uint8_t next() { return empty() ? 0 : data_[pos_++]; }
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t pos_ = 0;
};

class QueryGenerator {
 public:
  explicit QueryGenerator(Decisions& decisions) : in_(decisions) {}

  std::string vector(int depth) {
    if (depth <= 0 || in_.empty()) return selector();
    switch (in_.below(8)) {
      case 0:
        return selector();
      case 1:
        return aggregate(depth - 1);
      case 2:
        return between(vector(depth - 1), vector(depth - 1));
      case 3:
        return with_scalar(vector(depth - 1), scalar(depth - 1));
      case 4:
        return "(" + vector(depth - 1) + ")";
      case 5:
        return "-" + selector();
      default:
        return call(ValueType::vector, depth - 1);
    }
  }

  std::string scalar(int depth) {
    static const char* const kNumbers[] = {"0",  "1",   "0.5", "2",    "-1",  "Inf",  "NaN", "1e308",
                                           "5m", "0.9", "3",   "0x10", "1.1", "-0.5", "10",  "-Inf"};
    if (depth <= 0 || in_.empty() || in_.chance(2)) return in_.of(kNumbers);
    if (in_.chance(3)) return "(" + scalar(depth - 1) + arithmetic() + scalar(depth - 1) + ")";
    return call(ValueType::scalar, depth - 1);
  }

  /// Whether the values, and not only where samples are, decide what the result has at a step.
  bool depends_on_values() const { return depends_on_values_; }

 private:
  std::string call(ValueType result, int depth) {
    const auto functions = all_functions();
    const Function* function = &functions[in_.below(functions.size())];
    if (function->result != result) return result == ValueType::vector ? selector() : "time()";
    static const char* const kSensitive[] = {"clamp", "histogram_quantiles"};
    for (const char* name : kSensitive) depends_on_values_ = depends_on_values_ || function->name == name;
    static const char* const kOfTheQuery[] = {"start", "end", "range", "step"};
    for (const char* name : kOfTheQuery) depends_on_values_ = depends_on_values_ || function->name == name;
    const std::size_t most = std::min<std::size_t>(function->max_args, function->min_args + 2U);
    const std::size_t count = function->min_args + in_.below(most - function->min_args + 1);
    std::string out(function->name);
    out += '(';
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) out += ", ";
      if (i == 1 && function->name == "info") {
        out += in_.chance(2) ? "{x=~'.*'}" : "{__name__='b', le!=''}";
        continue;
      }
      out += argument(function->args[std::min(i, named_arguments(*function) - 1)], depth);
    }
    return out + ')';
  }

  std::string argument(ValueType type, int depth) {
    static const char* const kStrings[] = {"'x'",  "'$1'",       "'instance'", "'(.*)'",  "''",
                                           "'le'", "'__name__'", "'a.b'",      "`[0-9]+`"};
    switch (type) {
      case ValueType::scalar:
        return scalar(depth);
      case ValueType::vector:
        return vector(depth);
      case ValueType::matrix:
        return matrix(depth);
      case ValueType::string:
        break;
    }
    return in_.of(kStrings);
  }

  std::string selector() { return bare_selector() + shift(); }

  std::string bare_selector() {
    static const char* const kSelectors[] = {"a_total",      "b",
                                             "h_bucket",     R"({__name__=~"a.*|b"})",
                                             R"({"u.t.f"})", R"(a_total{instance="0"})",
                                             R"({x!=""})",   R"(b{x=~"1|2"})",
                                             "none"};
    return in_.of(kSelectors);
  }

  std::string matrix(int depth) {
    static const char* const kRanges[] = {"[1m]", "[5m]", "[90s]", "[1s]", "[1h]", "[61s]"};
    static const char* const kSubqueries[] = {"[5m:]", "[5m:30s]", "[1m:7s]", "[1h:5m]", "[10s:1m]"};
    if (in_.chance(3)) return "(" + vector(depth - 1) + ")" + in_.of(kSubqueries) + shift();
    return bare_selector() + in_.of(kRanges) + shift();
  }

  std::string shift() {
    static const char* const kShifts[] = {" offset 1m", " offset -90s", " @ 300", " @ start()",
                                          " @ end() offset 1m"};
    if (!in_.chance(4)) return "";
    std::string chosen = in_.of(kShifts);
    if (chosen.find("()") != std::string::npos) depends_on_values_ = true;  // and on the query's bounds
    return chosen;
  }

  std::string labels() {
    static const char* const kLists[] = {"()",   "(instance)",      "(x, instance)",
                                         "(le)", R"(("__name__"))", R"(("a.b", x))"};
    return in_.of(kLists);
  }

  std::string aggregate(int depth) {
    const auto op = static_cast<AggregateOp>(in_.below(kAggregateOps));
    std::string out(to_string(op));
    if (in_.chance(2)) out += (in_.chance(3) ? " without " : " by ") + labels() + ' ';
    out += '(';
    if (op == AggregateOp::count_values) {
      out += R"("x", )";
    } else if (op >= AggregateOp::topk) {
      out += scalar(depth) + ", ";
    }
    if (op >= AggregateOp::topk && op != AggregateOp::quantile) depends_on_values_ = true;
    return out + vector(depth) + ')';
  }

  std::string arithmetic() {
    static const char* const kOperators[] = {" + ", " - ", " * ", " / ", " % ", " ^ ", " atan2 "};
    return in_.of(kOperators);
  }

  std::string comparison() {
    static const char* const kOperators[] = {" == ", " != ", " > ", " < ", " >= ", " <= "};
    std::string out = in_.of(kOperators);
    if (in_.chance(2)) return out + "bool ";
    depends_on_values_ = true;
    return out;
  }

  std::string with_scalar(const std::string& left, const std::string& right) {
    const std::string op = in_.chance(2) ? comparison() : arithmetic();
    return "(" + (in_.chance(2) ? left + op + right : right + op + left) + ")";
  }

  std::string between(const std::string& left, const std::string& right) {
    static const char* const kSets[] = {" and ", " or ", " unless "};
    const bool set = in_.chance(3);
    std::string out = "(" + left + ")" + (set ? in_.of(kSets) : in_.chance(2) ? comparison() : arithmetic());
    if (in_.chance(2)) {
      out += (in_.chance(2) ? "on" : "ignoring") + labels() + ' ';
      if (!set && in_.chance(3)) out += in_.chance(2) ? "group_left() " : "group_right() ";
    }
    return out + "(" + right + ")";
  }

  Decisions& in_;
  bool depends_on_values_ = false;
};

/// A few series of the names and labels that the generator asks for.
inline void generate_series(Decisions& in, MemoryStorage& storage) {
  static const char* const kNames[] = {"a_total", "b", "h_bucket", "u.t.f", "ab"};
  static const char* const kValues[] = {"", "0", "1", "2", "+Inf", "0.1"};
  static const double kNumbers[] = {
      0, 1, 2, 3, 5, 8, -1, 0.1, 1e16, 1e308, -1e308, 5e-324, std::nan(""), INFINITY, -INFINITY, 7};
  const std::size_t count = 1 + in.below(6);
  for (std::size_t i = 0; i < count; ++i) {
    Labels labels;
    labels.set(kMetricName, in.of(kNames));
    for (const char* name : {"instance", "x", "le", "a.b"}) labels.set(name, in.of(kValues));
    std::int64_t t = static_cast<std::int64_t>(in.below(8)) * 15'000;
    std::vector<Point> points;
    const std::size_t length = in.below(24);
    for (std::size_t k = 0; k < length; ++k) {
      const bool stale = in.chance(16);
      points.push_back({t, stale ? stale_marker() : in.of(kNumbers)});
      t += 1 + static_cast<std::int64_t>(in.below(4)) * 20'000;
    }
    storage.replace(labels, std::move(points));
  }
}

}  // namespace vigil::promql
