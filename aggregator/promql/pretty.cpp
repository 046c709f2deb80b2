#include "aggregator/promql/pretty.h"

#include "aggregator/promql/functions.h"

namespace vigil::promql {
namespace {

std::string indent(std::size_t level) {
  return std::string(2 * level, ' ');
}

std::string print(const Expr& expr, std::size_t level);

/// A node that is too long for its line. All but subqueries begin with their own indentation.
struct Splitter {
  std::size_t level;
  const std::string& line;  // all of it on one

  std::string operator()(const NumberLiteral&) const { return indent(level) + line; }
  std::string operator()(const StringLiteral&) const { return indent(level) + line; }
  std::string operator()(const VectorSelector&) const { return indent(level) + line; }
  std::string operator()(const MatrixSelector&) const { return indent(level) + line; }
  std::string operator()(const Aggregate& aggregate) const {
    std::string out = indent(level) + head_of(aggregate) + "(\n";
    if (aggregate.param) out += print(*aggregate.param, level + 1) + ",\n";
    return out + print(*aggregate.expr, level + 1) + '\n' + indent(level) + ')';
  }
  std::string operator()(const Call& call) const {
    std::string out = indent(level) + std::string(call.function->name) + '(';
    for (const ExprPtr& arg : call.args)
      out += (&arg == &call.args.front() ? "\n" : ",\n") + print(*arg, level + 1);
    return out + '\n' + indent(level) + ')';
  }
  std::string operator()(const Binary& binary) const {
    const bool literal = std::holds_alternative<NumberLiteral>(binary.lhs->node);
    const std::string left = literal ? indent(level + 1) + left_of(binary) : print(*binary.lhs, level + 1);
    return left + '\n' + indent(level) + head_of(binary) + '\n' + print(*binary.rhs, level + 1);
  }
  std::string operator()(const Paren& paren) const {
    return indent(level) + "(\n" + print(*paren.expr, level + 1) + '\n' + indent(level) + ')';
  }
  std::string operator()(const Subquery& subquery) const {
    return print(*subquery.expr, level) + suffix_of(subquery);
  }
  std::string operator()(const Unary& unary) const {
    const std::string operand = print(*unary.expr, level);
    const std::size_t start = std::min(operand.find_first_not_of(' '), operand.size());
    return indent(level) + (unary.op == UnaryOp::minus ? '-' : '+') + operand.substr(start);
  }
};

std::string print(const Expr& expr, std::size_t level) {
  std::string line = to_string(expr);
  if (line.size() > kPrettyLineBytes) return std::visit(Splitter{level, line}, expr.node);
  // Prometheus forgets the indentation here, and its users compare.
  if (std::holds_alternative<Subquery>(expr.node)) return line;
  return indent(level) + line;
}

}  // namespace

std::string pretty(const Expr& expr) {
  return print(expr, 0);
}

}  // namespace vigil::promql
