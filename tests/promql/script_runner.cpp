#include "tests/promql/script_runner.h"

#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/parser.h"

#include <re2/re2.h>

#include <cmath>

namespace vigil::promql {
namespace {

bool same_value(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == b) return true;
  return std::fabs(a - b) <= 1e-6 * std::max(std::fabs(a), std::fabs(b)) || std::fabs(a - b) < 1e-300;
}

/// Functions, operators and literals of native histograms only.
bool is_about_native_histograms(const std::string& query) {
  static const RE2 kNames(R"(\bhistogram_(count|sum|avg|stddev|stdvar)\b|</|>/|\{\{)");
  return RE2::PartialMatch(query, kNames);
}

bool fits(const ExpectedText& expected, const std::string& text) {
  if (expected.kind == ExpectedText::Kind::exact) return text.find(expected.text) != std::string::npos;
  return expected.kind != ExpectedText::Kind::pattern || RE2::PartialMatch(text, expected.text);
}

/// Empty when one of `texts` is as expected, or nothing was.
std::string check_texts(const ExpectedText& expected, const std::vector<std::string>& texts,
                        const std::string& what) {
  if (expected.kind == ExpectedText::Kind::none) return "";
  if (texts.empty()) return "no " + what;
  const auto fit = [&expected](const std::string& text) { return fits(expected, text); };
  return std::ranges::any_of(texts, fit) ? "" : "another " + what + ": " + texts[0];
}

std::string check_failure(const EvalCommand& command, const Error& error) {
  if (command.fails.kind == ExpectedText::Kind::none) return "failed: " + error.message;
  return fits(command.fails, error.message) ? "" : "failed otherwise: " + error.message;
}

std::string check_annotations(const EvalCommand& command, const Annotations& annotations) {
  if (std::string problem = check_texts(command.warns, annotations.warnings, "warning"); !problem.empty())
    return problem;
  if (std::string problem = check_texts(command.informs, annotations.infos, "info"); !problem.empty())
    return problem;
  if (command.silent_warn && !annotations.warnings.empty())
    return "unexpected warning: " + annotations.warnings[0];
  if (command.silent_info && !annotations.infos.empty()) return "unexpected info: " + annotations.infos[0];
  return "";
}

Matrix expected_matrix(const EvalCommand& command, std::int64_t start_ms, std::int64_t step_ms) {
  Matrix matrix;
  for (const ScriptSeries& expected : command.expected) {
    Series series{std::make_shared<const Labels>(expected.labels), {}};
    for (std::size_t i = 0; i < expected.values.size(); ++i) {
      if (expected.values[i])
        series.points.push_back({start_ms + static_cast<std::int64_t>(i) * step_ms, *expected.values[i]});
    }
    if (!series.points.empty()) matrix.push_back(std::move(series));
  }
  return matrix;
}

std::string compare(const Matrix& expected, const Matrix& found) {
  if (expected.size() != found.size()) {
    std::string names;
    for (const Series& series : found) names += " " + series.labels->to_string();
    return fmt::format("expected {} series, found {}:{}", expected.size(), found.size(),
                       names.substr(0, 300));
  }
  for (const Series& want : expected) {
    const auto at =
        std::ranges::find_if(found, [&](const Series& series) { return *series.labels == *want.labels; });
    if (at == found.end())
      return fmt::format("{} is missing; first is {}", want.labels->to_string(),
                         found[0].labels->to_string());
    if (at->points.size() != want.points.size()) {
      return fmt::format("{}: expected {} points, found {}", want.labels->to_string(), want.points.size(),
                         at->points.size());
    }
    for (std::size_t i = 0; i < want.points.size(); ++i) {
      const Point& a = want.points[i];
      const Point& b = at->points[i];
      if (a.t_ms != b.t_ms || !same_value(a.v, b.v)) {
        return fmt::format("{} at {}: expected {} at {}, found {}", want.labels->to_string(), b.t_ms, a.v,
                           a.t_ms, b.v);
      }
    }
  }
  return "";
}

Matrix to_matrix(const Vector& vector) {
  Matrix matrix;
  for (const Sample& sample : vector) matrix.push_back({sample.labels, {{sample.t_ms, sample.v}}});
  return matrix;
}

std::string check_order(const Matrix& expected, const Vector& found) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (*expected[i].labels != *found[i].labels)
      return fmt::format("wrong order: {} at place {}", found[i].labels->to_string(), i);
  }
  return "";
}

std::string check_data(const EvalCommand& command, const Value& value) {
  if (command.string) {
    const auto* string = std::get_if<String>(&value.data);
    return string && string->v == *command.string ? "" : "wrong string";
  }
  if (command.scalar) {
    const auto* scalar = std::get_if<Scalar>(&value.data);
    if (!scalar) return "not a scalar";
    return same_value(scalar->v, *command.scalar)
               ? ""
               : fmt::format("expected {}, found {}", *command.scalar, scalar->v);
  }
  if (command.range_vector) {
    const auto* matrix = std::get_if<Matrix>(&value.data);
    return matrix
               ? compare(expected_matrix(command, command.points_start_ms, command.points_step_ms), *matrix)
               : "not a range vector";
  }
  const auto* vector = std::get_if<Vector>(&value.data);
  if (!vector) return "not an instant vector";
  const Matrix expected = expected_matrix(command, command.start_ms, 1);
  const std::string difference = compare(expected, to_matrix(*vector));
  return difference.empty() && command.ordered ? check_order(expected, *vector) : difference;
}

}  // namespace

void ScriptRunner::load(const LoadCommand& command) {
  for (const ScriptSeries& series : command.series) {
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      if (series.values[i])
        storage_.add(series.labels, {static_cast<std::int64_t>(i) * command.step_ms, *series.values[i]});
    }
    if (series.native) native_.insert(series.labels);
    if (command.with_native_copies) {
      Labels labels = series.labels;
      std::string name(labels.get(kMetricName));
      for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
        if (name.ends_with(suffix)) name.erase(name.size() - suffix.size());
      }
      labels.set(kMetricName, name);
      labels.erase("le");
      native_.insert(labels);
    }
  }
}

bool ScriptRunner::touches_native(const Expr& expr) const {
  const auto* selector = std::get_if<VectorSelector>(&expr.node);
  if (const auto* matrix = std::get_if<MatrixSelector>(&expr.node)) selector = &matrix->selector;
  if (selector) {
    const auto hit = [&](const Labels& labels) {
      return std::ranges::all_of(selector->matchers,
                                 [&](const Matcher& matcher) { return matcher.matches(labels); });
    };
    return std::ranges::any_of(native_, hit);
  }
  bool touched = false;
  for_each_child(expr, [&](const Expr& child) { touched = touched || touches_native(child); });
  return touched;
}

std::string ScriptRunner::check_range(const EvalCommand& command, const Expr& expr) {
  const auto result = evaluate_range(expr, storage_, {command.start_ms, command.end_ms, command.step_ms}, {});
  if (!result) return check_failure(command, result.error());
  if (command.fails.kind != ExpectedText::Kind::none) return "did not fail";
  const std::string annotations = check_annotations(command, result->annotations);
  return annotations.empty()
             ? compare(expected_matrix(command, command.start_ms, command.step_ms), result->series)
             : annotations;
}

std::string ScriptRunner::check_instant(const EvalCommand& command, const Expr& expr) {
  const auto result = evaluate_instant(expr, storage_, command.start_ms, {});
  if (!result) return check_failure(command, result.error());
  if (command.fails.kind != ExpectedText::Kind::none) return "did not fail";
  const std::string annotations = check_annotations(command, result->annotations);
  return annotations.empty() ? check_data(command, *result) : annotations;
}

/// An instant's value must be the same as one step among others, as Prometheus's own runner asks.
std::string ScriptRunner::check_as_range(const EvalCommand& command, const Expr& expr) {
  const bool bounds = RE2::PartialMatch(command.query, R"(\b(start|end|range|step)\(\))");
  if (command.fails.kind != ExpectedText::Kind::none || bounds ||
      (expr.type != ValueType::vector && expr.type != ValueType::scalar))
    return "";
  constexpr std::int64_t kMinute = 60'000;
  const auto range =
      evaluate_range(expr, storage_, {command.start_ms - kMinute, command.start_ms + kMinute, kMinute}, {});
  const auto instant = evaluate_instant(expr, storage_, command.start_ms, {});
  if (!range || !instant) return "";  // a neighbouring step may have no answer
  Matrix at_instant;
  for (const Series& series : range->series) {
    for (const Point& point : series.points) {
      if (point.t_ms == command.start_ms) at_instant.push_back({series.labels, {point}});
    }
  }
  const auto* scalar = std::get_if<Scalar>(&instant->data);
  const Matrix expected = scalar ? Matrix{{std::make_shared<const Labels>(), {{scalar->t_ms, scalar->v}}}}
                                 : to_matrix(std::get<Vector>(instant->data));
  const std::string difference = compare(expected, at_instant);
  return difference.empty() ? "" : "as a range: " + difference;
}

void ScriptRunner::eval(const EvalCommand& command) {
  const auto is_native = [](const ScriptSeries& series) { return series.native; };
  const auto expr = parse(command.query);
  std::string problem;
  if (!expr) {
    if (is_about_native_histograms(command.query)) {
      ++score_.skipped["syntax or function of native histograms"];
      return;
    }
    problem = check_failure(command, expr.error());
  } else if (std::ranges::any_of(command.expected, is_native) || touches_native(**expr)) {
    ++score_.skipped["reads native histograms"];
    return;
  } else if (command.range) {
    problem = check_range(command, **expr);
  } else {
    problem = check_instant(command, **expr);
    if (problem.empty()) problem = check_as_range(command, **expr);
  }
  if (problem.empty()) {
    ++score_.passed;
    return;
  }
  ++score_.failed;
  score_.failures.push_back(fmt::format("line {}: {}: {}", command.line, command.query, problem));
}

Score ScriptRunner::run(const std::vector<Command>& commands) {
  for (const Command& command : commands) {
    if (const auto* load_command = std::get_if<LoadCommand>(&command)) load(*load_command);
    if (const auto* eval_command = std::get_if<EvalCommand>(&command)) eval(*eval_command);
    if (std::holds_alternative<ClearCommand>(command)) {
      storage_.clear();
      native_.clear();
    }
  }
  return score_;
}

}  // namespace vigil::promql
