// Prometheus's own test scripts: nothing may fail, and no fewer may pass than the table says. What reads or
// makes native histograms is skipped, and counted.
#include "tests/promql/script_runner.h"
#include "tests/support/catch.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace vigil::promql {
namespace {

struct Expectation {
  const char* file;
  int passed;  // at least
};

constexpr Expectation kExpectations[] = {
    {"aggregators.test", 126},  {"at_modifier.test", 78},         {"collision.test", 2},
    {"functions.test", 323},    {"histograms.test", 93},          {"limit.test", 1},
    {"literals.test", 25},      {"name_label_dropping.test", 30}, {"operators.test", 142},
    {"range_queries.test", 16}, {"selectors.test", 31},           {"staleness.test", 17},
    {"subquery.test", 32},      {"trig_functions.test", 19},
};

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void print_skipped(const Score& score) {
  for (const auto& [reason, count] : score.skipped) std::printf(", skipped %d (%s)", count, reason.c_str());
  std::printf("\n");
}

}  // namespace

TEST_CASE("Prometheus's scripts give Prometheus's answers, but for native histograms") {
  const std::filesystem::path folder = VIGIL_SOURCE_DIR "/../shared/promqltest";
  if (!std::filesystem::exists(folder)) {
    std::printf("skipped: %s is not there\n", folder.c_str());
    return;
  }
  Score total;
  for (const Expectation& expectation : kExpectations) {
    const auto commands = parse_script(read(folder / expectation.file));
    INFO(expectation.file);
    REQUIRE(commands);
    const Score score = ScriptRunner().run(*commands);
    std::printf("%-26s passed %3d, failed %2d", expectation.file, score.passed, score.failed);
    print_skipped(score);
    for (const std::string& failure : score.failures) std::printf("    %s\n", failure.c_str());
    CHECK(score.passed >= expectation.passed);
    CHECK(score.failed == 0);
    total.passed += score.passed;
    total.failed += score.failed;
    for (const auto& [reason, count] : score.skipped) total.skipped[reason] += count;
  }
  std::printf("%-26s passed %3d, failed %2d", "all", total.passed, total.failed);
  print_skipped(total);
}

}  // namespace vigil::promql
