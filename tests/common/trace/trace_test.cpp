#include "common/trace/trace.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <algorithm>

namespace vigil {

TEST_CASE("the synthetic fleet is the same each time, in the shares it is named for") {
  const Trace trace = synthetic_trace(300, 100);
  CHECK(trace.rows == synthetic_trace(300, 100).rows);
  REQUIRE(trace.rows.size() == 300);
  REQUIRE(trace.times_ms.size() == 300);
  const auto count = [&](std::string_view name) {
    return std::count_if(trace.series.begin(), trace.series.end(),
                         [&](const SeriesSpec& spec) { return spec.name == name; });
  };
  CHECK(count("noisy_total") == 40);
  CHECK(count("slow") == 30);
  CHECK(count("percent") == 20);
  CHECK(count("constant") == 10);
  for (std::size_t column = 0; column < 100; ++column) {
    const SeriesSpec& spec = trace.series[column];
    for (std::size_t row = 1; row < 300; ++row) {
      const std::int64_t step = trace.rows[row][column] - trace.rows[row - 1][column];
      if (spec.name == "noisy_total") REQUIRE((step >= 0 && step <= 100));
      if (spec.name == "slow") REQUIRE(std::abs(step) <= 3);
      if (spec.name == "percent") REQUIRE((std::abs(step) <= 50 && trace.rows[row][column] <= 10'000));
      if (spec.name == "constant") REQUIRE(step == 0);
    }
  }
}

TEST_CASE("a recorded trace is read as it was written") {
  const auto trace = parse_trace("time_ms\tcpu0.0\tmem.Free\n1000\t5\t-7\n2000\t\t8\n");
  REQUIRE(trace);
  CHECK(trace->series[1].name == "mem.Free");
  CHECK(trace->times_ms == std::vector<std::int64_t>{1000, 2000});
  CHECK(trace->rows == std::vector<std::vector<std::int64_t>>{{5, -7}, {kAbsent, 8}});
}

TEST_CASE("what is no trace is refused with its line") {
  const auto error = [](std::string_view text) { return parse_trace(text).error().message; };
  CHECK_THAT(error(""), Catch::StartsWith("line 1: must be 'time_ms'"));
  CHECK_THAT(error("time_ms"), Catch::StartsWith("line 1: must be 'time_ms'"));
  CHECK(error("time_ms\ta\n") == "line 2: there are no rows");
  CHECK(error("time_ms\ta\n1\t2\n1\tx\n") == "line 3: field 2 is 'x', not an integer");
  CHECK(error("time_ms\ta\n1\t2\t3\n") == "line 2: has 3 fields, the first line has 2");
  CHECK(error("time_ms\ta\n\t2\n") == "line 2: has no time");
}

TEST_CASE("the trace of the repository is read from its packed file") {
  const auto trace = read_trace(VIGIL_SOURCE_DIR "/tests/fixtures/traces/vm-proc-1hz.tsv.zst");
  REQUIRE(trace);
  CHECK(trace->rows.size() == 600);
  CHECK(trace->series.size() == 332);
}

TEST_CASE("a file that is not there, or broken, is named") {
  CHECK_THAT(read_trace("/nowhere/x.tsv").error().message, Catch::Contains("/nowhere/x.tsv"));
  const test::TempFile broken("broken.zst", "\x28\xb5\x2f\xfd never packed");
  CHECK_THAT(read_trace(broken.path()).error().message, Catch::StartsWith(broken.path() + ": "));
}

}  // namespace vigil
