// Requests from anyone who can reach the HTTP port: targets, forms, parameters and the headers that choose a
// coding are read without harm, whatever their bytes.
#include "aggregator/api/parameters.h"
#include "aggregator/http/coding.h"
#include "aggregator/http/cors.h"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace vigil::aggregator;

void read_parameters(const http::Request& request) {
  const auto range = api::range_parameters(request, vigil::promql::kMaxSteps);
  if (range && (range->step_ms <= 0 || range->end_ms < range->start_ms ||
                (range->end_ms - range->start_ms) / range->step_ms > vigil::promql::kMaxSteps))
    std::abort();
  if (const auto span = api::span_parameters(request); span && span->end_ms < span->start_ms) std::abort();
  (void)api::match_parameters(request);
  (void)api::limit_parameter(request);
  (void)api::duration_parameter(request, "timeout");
  (void)api::time_parameter(request, "time", 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // The first line is the target, the second the form, the third a header's value.
  const auto first = std::min(text.find('\n'), text.size());
  const auto second = std::min(text.find('\n', first + 1), text.size());
  const std::string_view rest = text.substr(std::min(first + 1, text.size()));
  auto request = http::parse_target("GET", text.substr(0, first));
  if (!request) return 0;
  if (!http::add_query(*request, rest.substr(0, second - std::min(first + 1, second)))) return 0;
  const std::string_view header = text.substr(std::min(second + 1, text.size()));
  (void)http::best_coding(header);
  request->headers["origin"] = header;
  (void)http::Cors().is_foreign(*request);
  (void)api::unescape_name(request->path);
  read_parameters(*request);
  return 0;
}
