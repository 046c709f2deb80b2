// Bytes per sample, and CPU time per sample to seal and to decode, on two traces:
//   recorded   tests/fixtures/traces/vm-proc-1hz.tsv.zst: /proc of a 2-core VM at 1 Hz, raw integers (see
//   SOURCE.md beside it) synthetic  40 % noisy counters, 30 % slowly moving integers, 20 % percentages with
//   two decimals, 10 % constant; 400 series
// Prints one line of `key=value` per trace and slot length.
#include "aggregator/blocks/block.h"

#include <time.h>
#include <zstd.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>

namespace vigil::aggregator {
namespace {

constexpr double kNanoseconds = 1e9;
constexpr std::size_t kMaxTraceBytes = std::size_t{1} << 30;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / kNanoseconds;
}

/// Rows in order of time: rows[i][column].
struct Trace {
  std::vector<std::int64_t> times_ms;
  std::vector<std::vector<std::int64_t>> rows;
};

std::string read_compressed(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string stored{std::istreambuf_iterator<char>(file), {}};
  const auto size = ZSTD_getFrameContentSize(stored.data(), stored.size());
  if (size > kMaxTraceBytes) return {};
  std::string plain(size, '\0');
  ZSTD_decompress(plain.data(), plain.size(), stored.data(), stored.size());
  return plain;
}

// A line of tab-separated integers; an empty field is an absent sample.
std::vector<std::int64_t> parse_line(std::string_view line) {
  std::vector<std::int64_t> cells;
  while (true) {
    const std::size_t tab = line.find('\t');
    const std::string_view field = line.substr(0, tab);
    std::int64_t value = kAbsent;
    std::from_chars(field.data(), field.data() + field.size(), value);
    cells.push_back(value);
    if (tab == std::string_view::npos) return cells;
    line.remove_prefix(tab + 1);
  }
}

Trace parse_trace(std::string_view text) {
  Trace trace;
  text.remove_prefix(std::min(text.find('\n') + 1, text.size()));  // the names
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    auto cells = parse_line(text.substr(0, end));
    trace.times_ms.push_back(cells.front());
    cells.erase(cells.begin());
    trace.rows.push_back(std::move(cells));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return trace;
}

std::int64_t synthetic_step(std::size_t column, std::int64_t before, std::mt19937_64& random) {
  const auto uniform = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random);
  };
  switch (column % 10) {
    case 0:
    case 1:
    case 2:
    case 3:
      return before + uniform(0, 100);
    case 4:
    case 5:
    case 6:
      return before + (uniform(0, 9) == 0 ? uniform(-3, 3) : 0);
    case 7:
    case 8:
      return std::clamp<std::int64_t>(before + uniform(-50, 50), 0, 10'000);
    default:
      return before;
  }
}

Trace synthetic_trace(std::size_t rows, std::size_t columns) {
  std::mt19937_64 random(1);
  Trace trace;
  std::vector<std::int64_t> now(columns);
  for (auto& value : now) value = std::uniform_int_distribution<std::int64_t>(0, 10'000)(random);
  for (std::size_t row = 0; row < rows; ++row) {
    trace.times_ms.push_back(1'700'000'000'000 + static_cast<std::int64_t>(row) * 1000);
    for (std::size_t column = 0; column < columns; ++column)
      now[column] = synthetic_step(column, now[column], random);
    trace.rows.push_back(now);
  }
  return trace;
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
  const Trace recorded = parse_trace(read_compressed(path));
  const Trace synthetic = synthetic_trace(1200, 400);
  int failures = 0;
  for (const std::size_t slot_rows : {120U, 300U}) {
    if (recorded.rows.empty()) {
      std::fprintf(stderr, "%s: no trace there\n", path);
      ++failures;
    } else {
      failures += report("recorded", recorded, slot_rows);
    }
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
