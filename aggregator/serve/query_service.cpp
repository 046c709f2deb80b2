#include "aggregator/serve/query_service.h"

#include "aggregator/promql/parser.h"
#include "aggregator/serve/query_answer.h"
#include "aggregator/serve/unary.h"
#include "common/text/human.h"

namespace vigil::aggregator {
namespace {

constexpr std::uint32_t kDefaultSeriesLimit = 100'000;
constexpr int kMostInfos = 5;
constexpr double kSeenAhead = 5;  // seconds a clock may be ahead before a new host has no samples of now

Result<std::chrono::milliseconds> lookback_of(const v1::RangeRequest& request) {
  constexpr std::chrono::milliseconds kMost = std::chrono::hours(31 * 24);
  const std::chrono::milliseconds asked(request.lookback_ms());
  if (asked.count() == 0) return promql::EvalOptions().lookback;
  if (asked.count() > 0 && asked <= kMost) return asked;
  return fail(Errc::invalid_argument, "lookback_ms: {} must be from 1 to {}", asked.count(), kMost.count());
}

/// Nothing was found now: hosts whose clocks are so far off that now sees none of their samples say why.
void explain_clocks(const QueryEngine& engine, std::int64_t now_ms, v1::QueryResult& out) {
  const auto hosts = engine.view().hosts();
  if (!hosts) return;
  const std::int64_t lookback_ms = promql::EvalOptions().lookback.count();
  for (const HostInfo& host : *hosts) {
    const bool is_agent = kind_of(host.name) == HostKind::agent;
    const bool is_heard = is_agent && host.state == HostState::up && host.last_sample_ms != 0;
    const std::int64_t age_ms = now_ms - host.last_sample_ms;
    const bool unseen = age_ms >= lookback_ms || host.clock_skew_seconds > kSeenAhead;
    if (!is_heard || !unseen) continue;
    out.add_infos(
        fmt::format("the clock of {} is {:+.0f} s off: its newest sample is of {}; ask for that time",
                    host.name, host.clock_skew_seconds, format_rfc3339(host.last_sample_ms)));
    if (out.infos_size() == kMostInfos) return;
  }
}

template <class Selectors>
Result<std::vector<std::vector<promql::Matcher>>> parse_selectors(const Selectors& texts) {
  std::vector<std::vector<promql::Matcher>> all;
  for (const std::string& text : texts) {
    auto selector = promql::parse_selector(text);
    if (!selector) return fail(selector.error().code, "{}: {}", text, selector.error().message);
    all.push_back(std::move(selector->matchers));
  }
  return all;
}

}  // namespace

grpc::Status to_grpc(const Error& error) {
  grpc::StatusCode code = grpc::StatusCode::INTERNAL;
  switch (error.code) {
    case Errc::invalid_argument:
    case Errc::parse:
      code = grpc::StatusCode::INVALID_ARGUMENT;
      break;
    case Errc::not_found:
      code = grpc::StatusCode::NOT_FOUND;
      break;
    case Errc::limit:
      code = grpc::StatusCode::RESOURCE_EXHAUSTED;
      break;
    case Errc::timeout:
      code = grpc::StatusCode::DEADLINE_EXCEEDED;
      break;
    case Errc::unavailable:
      code = grpc::StatusCode::UNAVAILABLE;
      break;
    case Errc::unsupported:
      code = grpc::StatusCode::UNIMPLEMENTED;
      break;
    case Errc::permission:
      code = grpc::StatusCode::PERMISSION_DENIED;
      break;
    case Errc::corrupt:
      code = grpc::StatusCode::DATA_LOSS;
      break;
    case Errc::conflict:
      code = grpc::StatusCode::FAILED_PRECONDITION;
      break;
    case Errc::io:
    case Errc::internal:
      break;
  }
  return {code, error.message};
}

grpc::ServerUnaryReactor* QueryService::Instant(grpc::CallbackServerContext* context,
                                                const v1::InstantRequest* request,
                                                v1::QueryResult* response) {
  return answer(engine_, context,
                [this, request, response](const QueryEngine::Cancelled& cancelled) -> Result<void> {
                  const std::int64_t t_ms = request->time_ms() == 0 ? now_ms_() : request->time_ms();
                  const auto value = engine_.instant(request->expression(), t_ms, cancelled);
                  if (!value) return value.error();
                  put_value(*value, *response);
                  if (request->time_ms() == 0 && response->series().empty() && response->text().empty())
                    explain_clocks(engine_, t_ms, *response);
                  return {};
                });
}

grpc::ServerUnaryReactor* QueryService::Range(grpc::CallbackServerContext* context,
                                              const v1::RangeRequest* request, v1::QueryResult* response) {
  return answer(
      engine_, context, [this, request, response](const QueryEngine::Cancelled& cancelled) -> Result<void> {
        const promql::TimeRange range{
            request->start_ms(), request->end_ms() == 0 ? now_ms_() : request->end_ms(), request->step_ms()};
        if (range.step_ms <= 0)
          return fail(Errc::invalid_argument, "step_ms: {} must be more than 0", range.step_ms);
        if (range.end_ms < range.start_ms) return fail(Errc::invalid_argument, "end_ms lies before start_ms");
        const auto lookback = lookback_of(*request);
        if (!lookback) return lookback.error();
        const auto value = engine_.range(request->expression(), range, *lookback, cancelled);
        if (!value) return value.error();
        put_value(*value, *response);
        return {};
      });
}

grpc::ServerUnaryReactor* QueryService::Series(grpc::CallbackServerContext* context,
                                               const v1::SeriesRequest* request,
                                               v1::SeriesResponse* response) {
  return answer(engine_, context, [this, request, response](const QueryEngine::Cancelled&) -> Result<void> {
    const auto selectors = parse_selectors(request->selectors());
    if (!selectors) return selectors.error();
    const auto found = engine_.view().series(*selectors);
    if (!found) return found.error();
    const std::size_t limit = request->limit() == 0 ? kDefaultSeriesLimit : request->limit();
    for (const SeriesInfo& series : *found) {
      if (static_cast<std::size_t>(response->series_size()) == limit) {
        response->set_truncated(true);
        break;
      }
      put_labels(*series.labels, *response->add_series());
    }
    return {};
  });
}

grpc::ServerUnaryReactor* QueryService::Labels(grpc::CallbackServerContext* context,
                                               const v1::LabelsRequest* request,
                                               v1::LabelsResponse* response) {
  return answer(engine_, context, [this, request, response](const QueryEngine::Cancelled&) -> Result<void> {
    const auto selectors = parse_selectors(request->selectors());
    if (!selectors) return selectors.error();
    const auto values = request->name().empty() ? engine_.view().label_names(*selectors)
                                                : engine_.view().label_values(request->name(), *selectors);
    if (!values) return values.error();
    for (const std::string& value : *values) response->add_values(value);
    return {};
  });
}

grpc::ServerWriteReactor<v1::WatchUpdate>* QueryService::Watch(grpc::CallbackServerContext*,
                                                               const v1::WatchRequest* request) {
  return tails_.open(*request);
}

}  // namespace vigil::aggregator
