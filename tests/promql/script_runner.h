// Runs a parsed script against the engine and keeps the score.
#pragma once

#include "tests/promql/memory_storage.h"
#include "tests/promql/script.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace vigil::promql {

struct Score {
  int passed = 0;
  int failed = 0;
  std::map<std::string, int> skipped;  // by reason
  std::vector<std::string> failures;   // "line 12: QUERY: what was wrong"
};

class ScriptRunner {
 public:
  Score run(const std::vector<Command>& commands);

 private:
  void load(const LoadCommand& command);
  void eval(const EvalCommand& command);
  /// Empty when all is as expected.
  std::string check_instant(const EvalCommand& command, const struct Expr& expr);
  std::string check_range(const EvalCommand& command, const struct Expr& expr);
  std::string check_as_range(const EvalCommand& command, const struct Expr& expr);
  bool touches_native(const struct Expr& expr) const;

  MemoryStorage storage_;
  std::set<Labels> native_;
  Score score_;
};

}  // namespace vigil::promql
