// Prometheus's promqltest scripts: `load` and `eval` commands as values. See SOURCE.md beside the scripts for
// the language.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace vigil::promql {

/// A series with one element per step; nothing where there is no point.
struct ScriptSeries {
  Labels labels;
  std::vector<std::optional<double>> values;
  bool native = false;  // has native histogram points, which are not kept
};

struct LoadCommand {
  std::int64_t step_ms = 0;
  std::vector<ScriptSeries> series;
  bool with_native_copies = false;  // load_with_nhcb also makes a native histogram of each classic one
};

struct ClearCommand {};

/// What a message must be: nothing, any text, this text, or one that matches.
struct ExpectedText {
  enum class Kind { none, any, exact, pattern };
  Kind kind = Kind::none;
  std::string text;
};

struct EvalCommand {
  int line = 0;
  bool range = false;
  std::int64_t start_ms = 0;  // an instant's time
  std::int64_t end_ms = 0;
  std::int64_t step_ms = 0;
  std::string query;
  ExpectedText fails;
  ExpectedText warns;
  ExpectedText informs;
  bool silent_warn = false;
  bool silent_info = false;
  bool ordered = false;
  std::optional<std::string> string;
  std::optional<double> scalar;
  bool range_vector = false;  // the result is a range vector with points at the times below
  std::int64_t points_start_ms = 0;
  std::int64_t points_step_ms = 0;
  std::vector<ScriptSeries> expected;
};

using Command = std::variant<LoadCommand, ClearCommand, EvalCommand>;

Result<std::vector<Command>> parse_script(const std::string& text);

}  // namespace vigil::promql
