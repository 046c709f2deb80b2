#include "aggregator/rules/rule_extras.h"

#include "aggregator/promql/parser.h"
#include "aggregator/promql/value.h"
#include "aggregator/rules/rewrite.h"
#include "common/text/human.h"

#include <bit>
#include <charconv>

namespace vigil::rules {
namespace {

constexpr int kMostTimes = 64;  // as many as a word has bits
constexpr std::size_t kMostEvidence = 10;

/// "3 of 5" as the number and what stands behind the word.
std::optional<std::pair<int, std::string_view>> parse_count(std::string_view text, std::string_view word) {
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc() || !rest.starts_with(word)) return std::nullopt;
  return std::pair{count, rest.substr(word.size())};
}

std::optional<double> parse_number(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// An expression of a rule's besides its first.
std::unique_ptr<promql::Expr> compile_vector(const PlacedText& raw) {
  auto parsed = promql::parse(raw.text);
  if (!parsed) {
    raw.at.error(parsed.error().message);
  } else if ((*parsed)->type != promql::ValueType::vector) {
    raw.at.error(fmt::format("gives a {}; it must give an instant vector", to_string((*parsed)->type)));
  } else {
    return std::move(*parsed);
  }
  return nullptr;
}

/// "at most", where a threshold of clear that is more would end what fires; "" where none is on a wrong side.
std::string_view right_side(promql::BinaryOp op) {
  switch (op) {
    case promql::BinaryOp::gt:
    case promql::BinaryOp::ge:
      return "at most";
    case promql::BinaryOp::lt:
    case promql::BinaryOp::le:
      return "at least";
    default:
      return "";
  }
}

/// With a threshold beyond that of the rule an alert would be over while it is true.
void check_side(const PlacedText& raw, const promql::Expr& expr, double clear) {
  const auto limit = limit_of(expr);
  const std::string_view side = limit ? right_side(limit->op) : std::string_view();
  if (side.empty()) return;
  const bool is_wrong = side == "at most" ? clear > limit->number : clear < limit->number;
  if (is_wrong)
    raw.at.error(fmt::format("{} is beyond the rule's own threshold: for `{}` it must be {} {}", raw.text,
                             promql::to_string(limit->op), side, promql::format_value(limit->number)));
}

/// A number is another threshold of the rule's expression, anything else an expression.
void compile_clear(const PlacedText& raw, const std::string& expr, RuleExtras& out) {
  if (const auto number = parse_number(raw.text)) {
    auto other = promql::parse(expr);
    if (!other) return;  // reported at the expression
    check_side(raw, **other, *number);
    if (!set_threshold(**other, *number)) {
      raw.at.error(
          "the rule compares with no number: write an expression that is true when the alert is over");
      return;
    }
    out.lasting = std::move(*other);
    return;
  }
  auto parsed = promql::parse(raw.text);
  if (!parsed) {
    raw.at.error(parsed.error().message);
  } else if ((*parsed)->type != promql::ValueType::vector) {
    raw.at.error(
        fmt::format("gives a {}; it must be a number or give an instant vector", to_string((*parsed)->type)));
  } else {
    out.clear = std::move(*parsed);
  }
}

void compile_measured(const std::string& expr, RuleExtras& out) {
  const auto parsed = promql::parse(expr);
  if (!parsed) return;  // reported at the expression
  if (auto measured = measured_of(**parsed)) out.measured = std::move(*measured);
}

void compile_evidence(const RawRule& raw, RuleExtras& out) {
  if (raw.evidence.size() > kMostEvidence)
    raw.at.error(fmt::format("evidence: at most {} questions", kMostEvidence));
  for (const auto& [title, text] : raw.evidence) {
    auto compiled = Template::parse(text.text);
    if (!compiled) {
      text.at.error("template: " + compiled.error().message);
      continue;
    }
    // One without templates can be looked at now.
    const bool is_plain = text.text.find("{{") == std::string::npos;
    if (const auto parsed = promql::parse(text.text); is_plain && !parsed) {
      text.at.error(parsed.error().message);
    } else if (is_plain && (*parsed)->type != promql::ValueType::vector) {
      text.at.error(fmt::format("gives a {}; it must give an instant vector", to_string((*parsed)->type)));
    }
    out.evidence.push_back({title, text.text, std::move(*compiled)});
  }
}

template <class T>
void take(const PlacedText& raw, Result<T> (*parse)(std::string_view), T& out) {
  if (!raw.at) return;
  auto parsed = parse(raw.text);
  if (parsed) {
    out = *parsed;
  } else {
    raw.at.error(parsed.error().message);
  }
}

}  // namespace

std::uint64_t Times::latest(std::uint64_t history) const {
  return of >= kMostTimes ? history : history & ((std::uint64_t{1} << of) - 1);
}
bool Times::are_enough(std::uint64_t history) const {
  return std::popcount(latest(history)) >= enough;
}
int Times::count(std::uint64_t history) const {
  return std::popcount(latest(history));
}
bool Times::are_any(std::uint64_t history) const {
  return latest(history) != 0;
}

Result<Times> parse_times(std::string_view text) {
  const auto enough = parse_count(text, " of ");
  const auto of = enough ? parse_count(enough->second, "") : std::nullopt;
  if (!of || !of->second.empty())
    return fail(Errc::invalid_argument, "'{}' is not understood: write 3 of 5", text);
  if (enough->first < 1 || of->first < enough->first || of->first > kMostTimes) {
    return fail(Errc::invalid_argument,
                "must be at least 1 of 1, at most {} of {}, and no more than there are", kMostTimes,
                kMostTimes);
  }
  return Times{enough->first, of->first};
}

Result<Flapping> parse_flapping(std::string_view text) {
  const auto changes = parse_count(text, " in ");
  const auto within = changes ? parse_duration(changes->second) : fail(Errc::parse, "no number");
  if (!within) return fail(Errc::invalid_argument, "'{}' is not understood: write 6 in 30m", text);
  if (changes->first < 2 || changes->first > 1000 || within->count() <= 0)
    return fail(Errc::invalid_argument, "must be 2 to 1000 changes in more than no time");
  return Flapping{changes->first, *within};
}

RuleExtras compile_extras(const RawRule& raw, const std::string& expr) {
  RuleExtras out;
  if (raw.clear.at) compile_clear(raw.clear, expr, out);
  if (out.may_outlast()) compile_measured(expr, out);
  take(raw.times, parse_times, out.times);
  take(raw.flapping, parse_flapping, out.flapping);
  out.on_no_data = raw.on_no_data;
  if (raw.known.at) out.known = compile_vector(raw.known);
  out.steady = raw.steady.value_or(std::chrono::milliseconds(0));
  compile_evidence(raw, out);
  for (const RawAction& action : raw.actions)
    out.actions.push_back({action.run.text, action.on_resolved, action.run.at.say("", "")});
  return out;
}

}  // namespace vigil::rules
