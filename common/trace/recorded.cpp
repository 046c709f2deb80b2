#include "common/trace/trace.h"

#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace vigil {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 30;  // unpacked

/// Takes the next field off `line`; nothing follows the last one.
std::string_view next_field(std::string_view& line, bool& more) {
  const std::size_t tab = line.find('\t');
  const std::string_view field = line.substr(0, tab);
  more = tab != std::string_view::npos;
  line.remove_prefix(more ? tab + 1 : line.size());
  return field;
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

Result<std::vector<SeriesSpec>> parse_names(std::string_view line) {
  bool more = false;
  if (const auto first = next_field(line, more); first != "time_ms" || !more)
    return fail(Errc::parse, "line 1: must be 'time_ms' and the names of the columns, separated by tabs");
  std::vector<SeriesSpec> series;
  while (more) {
    SeriesSpec spec;
    spec.name = next_field(line, more);
    series.push_back(std::move(spec));
  }
  return series;
}

Result<void> parse_row(std::string_view line, Trace& trace) {
  std::vector<std::int64_t> cells;
  cells.reserve(trace.series.size() + 1);
  for (bool more = true; more;) {
    const std::string_view field = next_field(line, more);
    std::int64_t value = kAbsent;
    const char* const end = field.data() + field.size();
    const auto [stopped, error] = std::from_chars(field.data(), end, value);
    if (!field.empty() && (error != std::errc() || stopped != end))
      return fail(Errc::parse, "field {} is '{}', not an integer", cells.size() + 1, field.substr(0, 40));
    cells.push_back(value);
  }
  if (cells.size() != trace.series.size() + 1) {
    return fail(Errc::parse, "has {} fields, the first line has {}", cells.size(), trace.series.size() + 1);
  }
  if (cells.front() == kAbsent) return fail(Errc::parse, "has no time");
  trace.times_ms.push_back(cells.front());
  cells.erase(cells.begin());
  trace.rows.push_back(std::move(cells));
  return {};
}

Result<std::string> unpack(const std::string& stored) {
  constexpr std::string_view kMagic = "\x28\xb5\x2f\xfd";  // RFC 8878
  if (!stored.starts_with(kMagic)) return stored;
  const auto size = ZSTD_getFrameContentSize(stored.data(), stored.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > kMaxBytes) {
    return fail(Errc::parse, "does not say that it is at most {} MiB unpacked; unpack it first (unzstd)",
                kMaxBytes >> 20);
  }
  std::string plain(size, '\0');
  const std::size_t got = ZSTD_decompress(plain.data(), plain.size(), stored.data(), stored.size());
  if (ZSTD_isError(got) != 0) return fail(Errc::corrupt, "cannot be unpacked: {}", ZSTD_getErrorName(got));
  plain.resize(got);
  return plain;
}

}  // namespace

Result<Trace> parse_trace(std::string_view text) {
  Trace trace;
  auto series = parse_names(next_line(text));
  if (!series) return series.error();
  trace.series = std::move(*series);
  for (std::size_t number = 2; !text.empty(); ++number) {
    if (auto row = parse_row(next_line(text), trace); !row)
      return fail(row.error().code, "line {}: {}", number, row.error().message);
  }
  if (trace.rows.empty()) return fail(Errc::parse, "line 2: there are no rows");
  return trace;
}

Result<Trace> read_trace(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    return fail(Errc::invalid_argument, "read {}: not a regular file", path);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string stored;
  try {
    stored.assign(std::istreambuf_iterator<char>(file), {});
  } catch (const std::ios_base::failure&) {  // thrown by the stream's buffer, whatever the stream was told
    return fail_errno(errno == 0 ? EIO : errno, "read " + path);
  }
  if (!file.is_open() || file.bad()) return fail_errno(errno == 0 ? EIO : errno, "read " + path);
  const auto text = unpack(stored);
  if (!text) return fail(text.error().code, "{}: {}", path, text.error().message);
  auto trace = parse_trace(*text);
  if (!trace) return fail(trace.error().code, "{}: {}", path, trace.error().message);
  trace->name = path;
  return trace;
}

}  // namespace vigil
