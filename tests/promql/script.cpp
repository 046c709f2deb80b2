#include "tests/promql/script.h"

#include "aggregator/promql/parser.h"

#include <re2/re2.h>

#include <cmath>
#include <sstream>

namespace vigil::promql {
namespace {

std::string trim(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Comment lines read as empty ones, as in Prometheus.
std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    line = trim(line);
    lines.push_back(line.starts_with('#') ? "" : line);
  }
  lines.emplace_back();
  return lines;
}

std::int64_t parse_time(const std::string& text) {
  const bool negative = text.starts_with('-');
  if (const auto ms = parse_duration_ms(negative ? text.substr(1) : text)) return negative ? -*ms : *ms;
  return static_cast<std::int64_t>(std::llround(std::stod(text) * 1000));
}

/// `name{a="b", ...}` at the start of `text`; leaves the rest there.
Labels take_labels(std::string& text) {
  Labels labels;
  std::size_t pos = text.find_first_of(" \t{");
  if (pos == std::string::npos) pos = text.size();
  labels.set(kMetricName, text.substr(0, pos));
  if (pos < text.size() && text[pos] == '{') {
    static const RE2 kLabel(
        R"re([\s,]*("(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*)\s*(=\s*"((?:[^"\\]|\\.)*)")?)re");
    const std::string copy = text.substr(pos + 1);
    re2::StringPiece rest(copy);
    std::string name;
    std::string assigned;
    std::string value;
    while (RE2::Consume(&rest, kLabel, &name, &assigned, &value)) {
      if (name.starts_with('"')) name = name.substr(1, name.size() - 2);
      labels.set(assigned.empty() ? std::string(kMetricName) : name, assigned.empty() ? name : value);
    }
    text = rest.as_string().substr(rest.find('}') + 1);
  } else {
    text = text.substr(pos);
  }
  return labels;
}

void append_histograms(const std::string& token, ScriptSeries& series) {
  static const RE2 kRepeat(R"(\}\}x(\d+)$)");
  series.native = true;
  std::size_t more = 0;
  const std::size_t count = RE2::PartialMatch(token, kRepeat, &more) ? more + 1 : 1;
  series.values.insert(series.values.end(), count, std::nullopt);
}

Result<void> append_values(const std::string& token, ScriptSeries& series) {
  if (token.starts_with("{{")) {
    append_histograms(token, series);
    return {};
  }
  static const RE2 kGap(R"(_(?:x(\d+))?)");
  static const std::string kNumber = R"((?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf|nan))";
  static const RE2 kValue("(?i)([+-]?" + kNumber + ")(?:([+-]" + kNumber + "))?(?:x(\\d+))?");
  std::string repeat;
  std::string first;
  std::string delta;
  if (RE2::FullMatch(token, kGap, &repeat)) {
    series.values.insert(series.values.end(), repeat.empty() ? 1 : std::stoul(repeat), std::nullopt);
  } else if (token == "stale") {
    series.values.emplace_back(stale_marker());
  } else if (RE2::FullMatch(token, kValue, &first, &delta, &repeat)) {
    double value = std::stod(first);
    const std::size_t more = repeat.empty() ? 0 : std::stoul(repeat);
    for (std::size_t i = 0; i <= more; ++i) {
      series.values.emplace_back(value);
      if (!delta.empty()) value += std::stod(delta);
    }
  } else {
    return fail(Errc::parse, "bad point \"{}\"", token);
  }
  return {};
}

std::vector<std::string> split_points(const std::string& text) {
  std::vector<std::string> tokens;
  std::string token;
  int depth = 0;
  for (const char c : text + " ") {
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if ((c == ' ' || c == '\t') && depth == 0) {
      if (!token.empty()) tokens.push_back(std::exchange(token, ""));
    } else {
      token += c;
    }
  }
  return tokens;
}

Result<ScriptSeries> parse_series(std::string line) {
  ScriptSeries series;
  series.labels = take_labels(line);
  for (const std::string& token : split_points(line)) {
    if (auto ok = append_values(token, series); !ok) return ok.error();
  }
  return series;
}

std::string unescape(const std::string& quoted) {
  const auto selector = parse_selector("{a=" + quoted + ",b=\"c\"}");
  return selector ? selector->matchers[0].value() : "<bad string " + quoted + ">";
}

/// Behind `expect fail`, `expect warn` or `expect info`: nothing, `msg: TEXT` or `regex: PATTERN`.
ExpectedText parse_text(const std::string& rest) {
  using Kind = ExpectedText::Kind;
  const std::string trimmed = trim(rest);
  if (trimmed.starts_with("msg:")) return {Kind::exact, trim(trimmed.substr(4))};
  if (trimmed.starts_with("regex:")) return {Kind::pattern, trim(trimmed.substr(6))};
  return {Kind::any, ""};
}

void parse_expectation(const std::string& line, EvalCommand& eval) {
  static const RE2 kRange(R"(expect range vector from (\S+) to \S+ step (\S+))");
  std::string start;
  std::string step;
  if (line.starts_with("expect fail")) eval.fails = parse_text(line.substr(11));
  if (line.starts_with("expect warn")) eval.warns = parse_text(line.substr(11));
  if (line.starts_with("expect info")) eval.informs = parse_text(line.substr(11));
  if (line.starts_with("expect no_warn")) eval.silent_warn = true;
  if (line.starts_with("expect no_info")) eval.silent_info = true;
  if (line.starts_with("expect ordered")) eval.ordered = true;
  if (line.starts_with("expect string ")) eval.string = unescape(trim(line.substr(14)));
  if (RE2::FullMatch(line, kRange, &start, &step)) {
    eval.range_vector = true;
    eval.points_start_ms = parse_time(start);
    eval.points_step_ms = parse_time(step);
  }
}

Result<EvalCommand> parse_eval(const std::vector<std::string>& lines, std::size_t& i) {
  static const RE2 kInstant(R"(eval(_\w+)? instant at (\S+) (.+))");
  static const RE2 kRange(R"(eval(_\w+)? range from (\S+) to (\S+) step (\S+) (.+))");
  EvalCommand eval;
  eval.line = static_cast<int>(i) + 1;
  std::string kind;
  std::string start;
  std::string end;
  std::string step;
  if (RE2::FullMatch(lines[i], kInstant, &kind, &start, &eval.query)) {
    eval.start_ms = eval.end_ms = parse_time(start);
  } else if (RE2::FullMatch(lines[i], kRange, &kind, &start, &end, &step, &eval.query)) {
    eval.range = true;
    eval.start_ms = parse_time(start);
    eval.end_ms = parse_time(end);
    eval.step_ms = parse_time(step);
  } else {
    return fail(Errc::parse, "line {}: bad eval \"{}\"", i + 1, lines[i]);
  }
  if (kind == "_fail") eval.fails = parse_text("");
  if (kind == "_warn") eval.warns = parse_text("");
  if (kind == "_info") eval.informs = parse_text("");
  eval.ordered = kind == "_ordered";
  for (++i; !lines[i].empty(); ++i) {
    if (lines[i].starts_with("expect ")) {
      parse_expectation(lines[i], eval);
      continue;
    }
    ScriptSeries scalar;
    if (lines[i].find_first_of(" \t{") == std::string::npos && append_values(lines[i], scalar) &&
        !scalar.values.empty()) {
      eval.scalar = scalar.values[0];
      continue;
    }
    auto series = parse_series(lines[i]);
    if (!series) return fail(Errc::parse, "line {}: {}", i + 1, series.error().message);
    eval.expected.push_back(std::move(*series));
  }
  return eval;
}

Result<LoadCommand> parse_load(const std::vector<std::string>& lines, std::size_t& i) {
  LoadCommand load;
  load.with_native_copies = lines[i].starts_with("load_with_nhcb");
  load.step_ms = parse_time(lines[i].substr(lines[i].find(' ') + 1));
  for (++i; !lines[i].empty(); ++i) {
    auto series = parse_series(lines[i]);
    if (!series) return fail(Errc::parse, "line {}: {}", i + 1, series.error().message);
    load.series.push_back(std::move(*series));
  }
  return load;
}

}  // namespace

Result<std::vector<Command>> parse_script(const std::string& text) {
  const std::vector<std::string> lines = split_lines(text);
  std::vector<Command> commands;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    if (lines[i] == "clear") {
      commands.emplace_back(ClearCommand{});
    } else if (lines[i].starts_with("load")) {
      auto load = parse_load(lines, i);
      if (!load) return load.error();
      commands.emplace_back(std::move(*load));
    } else if (lines[i].starts_with("eval")) {
      auto eval = parse_eval(lines, i);
      if (!eval) return eval.error();
      commands.emplace_back(std::move(*eval));
    } else {
      return fail(Errc::parse, "line {}: unknown command \"{}\"", i + 1, lines[i]);
    }
  }
  return commands;
}

}  // namespace vigil::promql
