// PromQL from anyone who can reach a query endpoint: any bytes parse or fail cleanly; what parses prints to
// text that parses to the same; and evaluates within its limits over a little data.
#include "aggregator/promql/analyze.h"
#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/parser.h"
#include "tests/promql/memory_storage.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace vigil;
using namespace vigil::promql;

MemoryStorage make_storage() {
  MemoryStorage storage;
  const std::vector<double> counter = {0, 5, 9, 2, 2, 7, stale_marker(), 8, 9};
  const std::vector<double> gauge = {1, -1, std::nan(""), INFINITY, -INFINITY, 0, 1e308, -1e308, 4};
  for (const char* instance : {"web", "db"}) {
    storage.add({{"__name__", "a"}, {"instance", instance}, {"job", "x"}}, 60'000, counter);
    storage.add({{"__name__", "b"}, {"instance", instance}}, 60'000, gauge);
    for (const char* le : {"0.1", "1", "+Inf", "bad"})
      storage.add({{"__name__", "h"}, {"instance", instance}, {"le", le}}, 60'000, counter);
  }
  return storage;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto expr = parse(text);
  if (!expr) return 0;
  const std::string printed = to_string(**expr);
  const auto again = parse(printed);
  // Printing may only lengthen what was accepted, so the one permitted failure is the length.
  if (!again && again.error().code != Errc::limit) std::abort();
  if (again && to_string(**again) != printed) std::abort();
  metric_names(**expr);
  is_host_local(**expr);
  reach_ms(**expr, 300'000);
  static MemoryStorage storage = make_storage();
  int asked = 0;
  EvalOptions options;
  options.max_samples = 20'000;
  options.expired = [&asked] { return ++asked > 2'000; };
  const auto instant = evaluate_instant(**expr, storage, 480'000, options);
  if (!instant && instant.error().code == Errc::internal) std::abort();
  const auto range = evaluate_range(**expr, storage, {0, 600'000, 50'000}, options);
  if (!range && range.error().code == Errc::internal) std::abort();
  return 0;
}
