// Reads the bytes as a remote_write body, both versions, compressed and plain, and sorts what they hold into
// writes; and as journalled samples, which must come back the same.
#include "aggregator/ingest/local_rows.h"
#include "aggregator/remote_write/request.h"
#include "aggregator/remote_write/routing.h"

#include <cstdlib>

namespace {

using namespace vigil::aggregator;

void read(remote_write::Version version, std::string_view bytes) {
  const auto request = remote_write::read_request(version, bytes, {1000, 10'000, 16});
  if (!request) return;
  std::size_t samples = 0;
  for (const auto& series : request->series) {
    if (series.first_label + series.labels > request->labels.size()) std::abort();
    samples += series.samples;
  }
  if (samples != request->samples.size()) std::abort();
  const auto routed = remote_write::route(*request, {}, {});
  std::size_t sound = 0;
  for (const auto& write : routed.writes) {
    std::size_t own = 0;
    for (const auto& series : write.series) own += series.samples;
    if (own != write.samples.size()) std::abort();
    sound += own;
  }
  if (sound > samples) std::abort();
}

void read_rows(std::string_view bytes) {
  const auto rows = decode_rows(bytes);
  if (!rows) return;
  std::vector<LocalRow> views;
  for (const auto& row : *rows) views.push_back({row.source, row.time_ms, row.cells});
  const auto again = decode_rows(encode_rows(views));
  if (!again || again->size() != rows->size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto version : {remote_write::Version::v1, remote_write::Version::v2}) {
    read(version, bytes);
    if (const auto plain = remote_write::uncompress(bytes, 1 << 20)) read(version, *plain);
  }
  read_rows(bytes);
  return 0;
}
