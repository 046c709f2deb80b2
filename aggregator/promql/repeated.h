// Which parts of a query that read samples stand in it more than once: `a / (a + b)`. Internal to the engine.
#pragma once

#include "aggregator/promql/ast.h"

#include <string>
#include <unordered_map>

namespace vigil::promql {

class Repeated {
 public:
  struct Term {
    std::string text;       // as it is printed: equal for those that are alike
    std::size_t times = 0;  // how often it stands in the query
  };

  /// Refers to `query`.
  explicit Repeated(const Expr& query);
  /// Null for what stands there once.
  const Term* find(const Expr& expr) const {
    const auto at = terms_.find(&expr);
    return at == terms_.end() ? nullptr : &at->second;
  }

 private:
  std::unordered_map<const Expr*, Term> terms_;
};

}  // namespace vigil::promql
