// What came of one file that was checked or tested, for people and for programs.
#pragma once

#include "aggregator/rules/problems.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::trial {

/// Rules of a file that can be loaded.
struct RuleCounts {
  std::size_t alerting = 0;
  std::size_t recording = 0;
};

/// Of unit tests that could be run.
struct TestCounts {
  std::size_t groups = 0;  // entries of `tests`
  std::size_t checks = 0;  // alert and expression tests in them
  std::size_t passed = 0;  // of the checks
};

struct Verdict {
  std::string file;
  std::optional<RuleCounts> rules;       // of a file that was checked
  std::optional<TestCounts> tests;       // of one that was tested
  std::vector<rules::Problem> errors;    // the file, or one it names, cannot be read
  std::vector<rules::Problem> failures;  // of tests
  std::vector<std::string> warnings;

  bool ok() const { return errors.empty() && failures.empty(); }
};

/// Whether the rules of a file can be loaded.
Verdict check_file(const std::string& path);
/// Runs a file of unit tests.
Verdict test_file(const std::string& path);

/// "rules.yml: 2 alerting rules, 1 recording rule"; for tests with what failed, indented, below it. Empty
/// where there are errors.
std::string summary(const Verdict& verdict);
/// An array with an object for each file, and a line end.
std::string to_json(const std::vector<Verdict>& verdicts);

}  // namespace vigil::trial
