// The two grammars, each by itself. Internal to parse_matchers().
#pragma once

#include "aggregator/promql/storage.h"
#include "common/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::matchers {

struct Written {
  promql::MatchOp op = promql::MatchOp::equal;
  std::string name;
  std::string value;
  friend bool operator==(const Written&, const Written&) = default;
};

Result<std::vector<Written>> read_classic(std::string_view text);
Result<std::vector<Written>> read_utf8(std::string_view text);

/// Takes `=~`, `!~`, `!=` or `=` off the front of `rest`; false when it begins otherwise.
bool take_operator(std::string_view& rest, promql::MatchOp& op);

}  // namespace vigil::matchers
