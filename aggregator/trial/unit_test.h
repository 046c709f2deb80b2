// Runs a file of unit tests: the rules it names, evaluated by the real evaluator over the samples it writes
// down, in scripted time. One thing is not as on a running aggregator: an alert whose series has no data is
// over at once, as promtool has it, so that both give the same verdict.
#pragma once

#include "aggregator/trial/test_file.h"
#include "common/error.h"

#include <cstddef>
#include <string>
#include <vector>

namespace vigil::trial {

struct TestReport {
  std::size_t groups = 0;             // entries of `tests`
  std::size_t checks = 0;             // alert and expression tests in them
  std::size_t passed = 0;             // of the checks; none of a test whose rules cannot be evaluated
  std::vector<std::string> failures;  // each with its place; a line of its own for each thing that differs
  std::vector<std::string> warnings;  // patterns without a file, rules that do the same
};

/// `path` names the file in messages, and its folder is where rule files are looked for. Errors are what is
/// wrong with it or its rule files.
Result<TestReport> run_test_file(const std::string& path);

}  // namespace vigil::trial
