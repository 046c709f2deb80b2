#include "aggregator/promql/ast_json.h"

#include "aggregator/promql/functions.h"
#include "aggregator/promql/value.h"
#include "common/text/utf8.h"

namespace vigil::promql {
namespace {

std::string string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const char c = text[0];
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return out + '"';
}

std::string_view boolean(bool value) {
  return value ? "true" : "false";
}

template <class Range, class Print>
std::string array(const Range& range, Print print) {
  std::string out = "[";
  for (const auto& element : range) {
    if (out.size() > 1) out += ',';
    out += print(element);
  }
  return out + ']';
}

std::string strings(const std::vector<std::string>& values) {
  return array(values, [](const std::string& value) { return string(value); });
}

std::string_view symbol(MatchOp op) {
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

std::string matchers(const VectorSelector& selector) {
  return array(selector.matchers, [](const Matcher& matcher) {
    return fmt::format(R"({{"name":{},"type":"{}","value":{}}})", string(matcher.name()),
                       symbol(matcher.op()), string(matcher.value()));
  });
}

std::string start_or_end(const TimeShift& shift) {
  if (shift.at == AtKind::start) return "\"start\"";
  return shift.at == AtKind::end ? "\"end\"" : "null";
}

std::string timestamp(const TimeShift& shift) {
  return shift.at == AtKind::time ? std::to_string(shift.at_ms) : "null";
}

/// Prometheus's name of a type, which is shorter than the one in our messages.
std::string_view type_name(ValueType type) {
  switch (type) {
    case ValueType::scalar:
      return "scalar";
    case ValueType::vector:
      return "vector";
    case ValueType::matrix:
      return "matrix";
    case ValueType::string:
      break;
  }
  return "string";
}

std::string signature(const Function& function) {
  const bool repeats = function.max_args == kVariadic;
  const auto types = std::span(function.args).first(named_arguments(function));
  return fmt::format(R"({{"argTypes":{},"name":"{}","returnType":"{}","variadic":{}}})",
                     array(types, [](ValueType type) { return fmt::format("\"{}\"", type_name(type)); }),
                     function.name, type_name(function.result),
                     repeats ? -1 : function.max_args - function.min_args);
}

std::string_view cardinality(const Binary& binary) {
  if (is_set_operator(binary.op)) return "many-to-many";
  switch (binary.matching.cardinality) {
    case Cardinality::one_to_one:
      return "one-to-one";
    case Cardinality::many_to_one:
      return "many-to-one";
    case Cardinality::one_to_many:
      break;
  }
  return "one-to-many";
}

std::string matching(const Binary& binary) {
  if (binary.lhs->type != ValueType::vector || binary.rhs->type != ValueType::vector) return "null";
  const VectorMatching& matching = binary.matching;
  return fmt::format(
      R"({{"card":"{}","fillValues":{{"lhs":null,"rhs":null}},"include":{},"labels":{},"on":{}}})",
      cardinality(binary), strings(matching.include), strings(matching.labels),
      boolean(matching.mode == MatchMode::on));
}

struct Translator {
  std::string operator()(const NumberLiteral& number) const {
    return fmt::format(R"({{"type":"numberLiteral","val":"{}"}})", format_value(number.value));
  }
  std::string operator()(const StringLiteral& literal) const {
    return fmt::format(R"({{"type":"stringLiteral","val":{}}})", string(literal.value));
  }
  std::string operator()(const VectorSelector& selector) const {
    return fmt::format(
        R"({{"anchored":false,"matchers":{},"name":{},"offset":{},"smoothed":false,"startOrEnd":{},)"
        R"("timestamp":{},"type":"vectorSelector"}})",
        matchers(selector), string(selector.name), selector.shift.offset_ms, start_or_end(selector.shift),
        timestamp(selector.shift));
  }
  std::string operator()(const MatrixSelector& matrix) const {
    const VectorSelector& selector = matrix.selector;
    return fmt::format(
        R"({{"anchored":false,"matchers":{},"name":{},"offset":{},"range":{},"smoothed":false,"startOrEnd":{},)"
        R"("timestamp":{},"type":"matrixSelector"}})",
        matchers(selector), string(selector.name), selector.shift.offset_ms, matrix.range_ms,
        start_or_end(selector.shift), timestamp(selector.shift));
  }
  std::string operator()(const Subquery& subquery) const {
    return fmt::format(
        R"({{"alignEvalTime":false,"expr":{},"offset":{},"range":{},"startOrEnd":{},"step":{},"timestamp":{},)"
        R"("type":"subquery"}})",
        to_json(*subquery.expr), subquery.shift.offset_ms, subquery.range_ms, start_or_end(subquery.shift),
        subquery.step_ms, timestamp(subquery.shift));
  }
  std::string operator()(const Call& call) const {
    return fmt::format(R"({{"args":{},"func":{},"type":"call"}})",
                       array(call.args, [](const ExprPtr& arg) { return to_json(*arg); }),
                       signature(*call.function));
  }
  std::string operator()(const Aggregate& aggregate) const {
    return fmt::format(
        R"({{"expr":{},"grouping":{},"op":"{}","param":{},"type":"aggregation","without":{}}})",
        to_json(*aggregate.expr), strings(aggregate.labels), to_string(aggregate.op),
        aggregate.param ? to_json(*aggregate.param) : "null",
        boolean(aggregate.grouping == Grouping::without));
  }
  std::string operator()(const Unary& unary) const {
    return fmt::format(R"({{"expr":{},"op":"{}","type":"unaryExpr"}})", to_json(*unary.expr),
                       unary.op == UnaryOp::minus ? '-' : '+');
  }
  std::string operator()(const Binary& binary) const {
    return fmt::format(R"({{"bool":{},"lhs":{},"matching":{},"op":"{}","rhs":{},"type":"binaryExpr"}})",
                       boolean(binary.comparison == ComparisonMode::boolean), to_json(*binary.lhs),
                       matching(binary), to_string(binary.op), to_json(*binary.rhs));
  }
  std::string operator()(const Paren& paren) const {
    return fmt::format(R"({{"expr":{},"type":"parenExpr"}})", to_json(*paren.expr));
  }
};

}  // namespace

std::string to_json(const Expr& expr) {
  return std::visit(Translator{}, expr.node);
}

}  // namespace vigil::promql
