// Unit-test files of rules: any bytes give tests or errors with their place; series and values read or fail.
#include "aggregator/trial/series_notation.h"
#include "aggregator/trial/test_file.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto metric = trial::parse_metric(text)) {
    // What is a metric reads back as the same one.
    const auto again = trial::parse_metric(metric->to_string());
    if (again && *again != *metric) std::abort();
  }
  if (const auto values = trial::parse_values(text); values && values->size() > 2 * trial::kMaxValues)
    std::abort();
  const auto file = trial::load_test_file(text, "fuzz.yml");
  if (!file) return 0;
  for (const auto& group : file->tests) {
    for (const auto& input : group.input) {
      // It was accepted: so are its parts.
      if (!trial::parse_metric(input.series.text) || !trial::parse_values(input.values.text)) std::abort();
    }
  }
  return 0;
}
