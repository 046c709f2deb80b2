// Bytes per sample, and CPU time per sample to seal and to decode, on two traces:
//   recorded   tests/fixtures/traces/vm-proc-1hz.tsv.zst: /proc of a 2-core VM at 1 Hz, raw integers (see
//   SOURCE.md beside it) synthetic  40 % noisy counters, 30 % slowly moving integers, 20 % percentages with
//   two decimals, 10 % constant; 400 series
// Prints one line of `key=value` per trace and slot length.
#include "aggregator/blocks/block.h"
#include "common/trace/trace.h"

#include <time.h>

#include <cstdio>

namespace vigil::aggregator {
namespace {

constexpr double kNanoseconds = 1e9;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / kNanoseconds;
}

std::vector<Block> cut(const Trace& trace, std::size_t slot_rows) {
  std::vector<Block> blocks;
  for (std::size_t first = 0; first + slot_rows <= trace.rows.size(); first += slot_rows) {
    Block block;
    for (std::size_t column = 0; column < trace.rows.front().size(); ++column) {
      block.series.push_back(static_cast<SeriesId>(column));
      for (std::size_t row = 0; row < slot_rows; ++row)
        block.values.push_back(trace.rows[first + row][column]);
    }
    const auto start = trace.times_ms.begin() + static_cast<std::ptrdiff_t>(first);
    block.times_ms.assign(start, start + static_cast<std::ptrdiff_t>(slot_rows));
    blocks.push_back(std::move(block));
  }
  return blocks;
}

struct Totals {
  std::size_t samples = 0;
  std::size_t bytes = 0;
  std::size_t columns_read = 0;
  double seal_seconds = 0;
  double decode_seconds = 0;
  double column_seconds = 0;
};

bool measure(const Block& block, Totals& totals) {
  const double start = cpu_seconds();
  std::string bytes = seal(block);
  totals.seal_seconds += cpu_seconds() - start;
  totals.bytes += bytes.size();
  const auto sealed = SealedBlock::open(std::move(bytes));
  if (!sealed) return false;
  const double before_decode = cpu_seconds();
  const auto decoded = (*sealed)->decode();
  const double before_columns = cpu_seconds();
  totals.decode_seconds += before_columns - before_decode;
  if (!decoded || decoded->values != block.values) return false;
  const double before_column = cpu_seconds();
  for (std::size_t i = 0; i < block.series.size(); i += 7, ++totals.columns_read) {
    if (!(*sealed)->column(i)) return false;
  }
  totals.column_seconds += cpu_seconds() - before_column;
  totals.samples += (*sealed)->samples();
  return true;
}

int report(const char* name, const Trace& trace, std::size_t slot_rows) {
  constexpr int kRounds = 20;
  const std::vector<Block> blocks = cut(trace, slot_rows);
  Totals totals;
  for (int round = 0; round < kRounds; ++round) {
    for (const Block& block : blocks) {
      if (!measure(block, totals)) return 1;
    }
  }
  if (totals.samples == 0) return 1;
  const auto samples = static_cast<double>(totals.samples);
  std::printf(
      "trace=%s series=%zu slot_rows=%zu blocks=%zu bytes_per_sample=%.3f seal_ns=%.1f decode_ns=%.1f "
      "one_column_us=%.2f\n",
      name, trace.rows.front().size(), slot_rows, blocks.size(), static_cast<double>(totals.bytes) / samples,
      totals.seal_seconds * kNanoseconds / samples, totals.decode_seconds * kNanoseconds / samples,
      totals.column_seconds * 1e6 / static_cast<double>(totals.columns_read));
  return 0;
}

int run(const char* path) {
  const auto recorded = read_trace(path);
  const Trace synthetic = synthetic_trace(1200, 400);
  int failures = 0;
  if (!recorded) std::fprintf(stderr, "%s\n", recorded.error().message.c_str());
  for (const std::size_t slot_rows : {120U, 300U}) {
    failures += recorded ? report("recorded", *recorded, slot_rows) : 1;
    failures += report("synthetic", synthetic, slot_rows);
  }
  return failures;
}

}  // namespace
}  // namespace vigil::aggregator

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : VIGIL_SOURCE_DIR "/tests/fixtures/traces/vm-proc-1hz.tsv.zst";
  return vigil::aggregator::run(path) == 0 ? 0 : 1;
}
