#include "aggregator/promql/ast.h"
#include "aggregator/promql/functions.h"
#include "aggregator/promql/literals.h"
#include "aggregator/promql/parser.h"
#include "aggregator/promql/value.h"

#include <algorithm>
#include <cmath>

namespace vigil::promql {
namespace {

bool is_plain_name(std::string_view name) {
  const auto letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; };
  if (name.empty() || !letter(name[0])) return false;
  return std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string label_name(std::string_view name) {
  return is_plain_name(name) ? std::string(name) : quote(name);
}

std::string label_list(const std::vector<std::string>& labels) {
  std::string out = "(";
  for (const std::string& label : labels) {
    if (out.size() > 1) out += ", ";
    out += label_name(label);
  }
  return out + ")";
}

std::string_view match_symbol(MatchOp op) {
  switch (op) {
    case MatchOp::equal:
      return "=";
    case MatchOp::not_equal:
      return "!=";
    case MatchOp::regex:
      return "=~";
    case MatchOp::not_regex:
      break;
  }
  return "!~";
}

std::string print_shift(const TimeShift& shift) {
  std::string out;
  if (shift.at == AtKind::start) out += " @ start()";
  if (shift.at == AtKind::end) out += " @ end()";
  if (shift.at == AtKind::time) {
    const std::int64_t ms = shift.at_ms < 0 ? -shift.at_ms : shift.at_ms;
    out += fmt::format(" @ {}{}.{:03}", shift.at_ms < 0 ? "-" : "", ms / 1000, ms % 1000);
  }
  if (shift.offset_ms != 0) out += fmt::format(" offset {}", format_duration_ms(shift.offset_ms));
  return out;
}

/// Without the shift, which stands behind the range.
std::string print_selector(const VectorSelector& selector) {
  // The last matcher is the name's own when the selector has a name.
  const std::size_t count = selector.matchers.size() - (selector.name.empty() ? 0 : 1);
  std::vector<std::string> matchers;
  for (std::size_t i = 0; i < count; ++i) {
    const Matcher& matcher = selector.matchers[i];
    matchers.push_back(label_name(matcher.name()) + std::string(match_symbol(matcher.op())) +
                       quote(matcher.value()));
  }
  if (matchers.empty() && !selector.name.empty()) return selector.name;
  std::sort(matchers.begin(), matchers.end());
  return fmt::format("{}{{{}}}", selector.name, fmt::join(matchers, ","));
}

std::string print_number(const NumberLiteral& number) {
  if (number.form == NumberForm::number) return format_value(number.value);
  return format_duration_ms(std::llround(number.value * 1000));
}

struct Printer {
  std::string operator()(const NumberLiteral& number) const { return print_number(number); }
  std::string operator()(const StringLiteral& string) const { return quote(string.value); }
  std::string operator()(const VectorSelector& selector) const {
    return print_selector(selector) + print_shift(selector.shift);
  }
  std::string operator()(const MatrixSelector& matrix) const {
    return fmt::format("{}[{}]{}", print_selector(matrix.selector), format_duration_ms(matrix.range_ms),
                       print_shift(matrix.selector.shift));
  }
  std::string operator()(const Subquery& subquery) const {
    return to_string(*subquery.expr) + suffix_of(subquery);
  }
  std::string operator()(const Call& call) const {
    std::string out(call.function->name);
    out += '(';
    for (std::size_t i = 0; i < call.args.size(); ++i) {
      if (i > 0) out += ", ";
      out += to_string(*call.args[i]);
    }
    return out + ')';
  }
  std::string operator()(const Aggregate& aggregate) const {
    std::string out = head_of(aggregate);
    out += '(';
    if (aggregate.param) out += to_string(*aggregate.param) + ", ";
    return out + to_string(*aggregate.expr) + ')';
  }
  std::string operator()(const Unary& unary) const {
    return (unary.op == UnaryOp::minus ? "-" : "+") + to_string(*unary.expr);
  }
  std::string operator()(const Binary& binary) const {
    return fmt::format("{} {} {}", left_of(binary), head_of(binary), to_string(*binary.rhs));
  }
  std::string operator()(const Paren& paren) const { return '(' + to_string(*paren.expr) + ')'; }
};

}  // namespace

std::string head_of(const Aggregate& aggregate) {
  const std::string op(to_string(aggregate.op));
  if (aggregate.grouping == Grouping::without) return op + " without " + label_list(aggregate.labels) + ' ';
  return aggregate.labels.empty() ? op : op + " by " + label_list(aggregate.labels) + ' ';
}

std::string left_of(const Binary& binary) {
  // In `+Inf ^ 2` the sign would be that of the power.
  const auto* number = std::get_if<NumberLiteral>(&binary.lhs->node);
  if (binary.op == BinaryOp::pow && number && std::isinf(number->value)) return "Inf";
  return to_string(*binary.lhs);
}

std::string head_of(const Binary& binary) {
  const VectorMatching& matching = binary.matching;
  std::string out(to_string(binary.op));
  if (binary.comparison == ComparisonMode::boolean) out += " bool";
  const bool plain = matching.mode == MatchMode::ignoring && matching.labels.empty() &&
                     matching.cardinality == Cardinality::one_to_one;
  if (plain) return out;
  out += matching.mode == MatchMode::on ? " on " : " ignoring ";
  out += label_list(matching.labels);
  if (matching.cardinality == Cardinality::one_to_one) return out;
  out += matching.cardinality == Cardinality::many_to_one ? " group_left " : " group_right ";
  return out + label_list(matching.include);
}

std::string suffix_of(const Subquery& subquery) {
  return fmt::format("[{}:{}]{}", format_duration_ms(subquery.range_ms),
                     subquery.step_ms > 0 ? format_duration_ms(subquery.step_ms) : "",
                     print_shift(subquery.shift));
}

std::string to_string(const Expr& expr) {
  return std::visit(Printer{}, expr.node);
}

}  // namespace vigil::promql
