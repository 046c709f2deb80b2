#include "aggregator/api/questions.h"

#include "aggregator/api/parameters.h"
#include "aggregator/api/result_json.h"
#include "aggregator/promql/ast_json.h"
#include "aggregator/promql/parser.h"
#include "aggregator/promql/pretty.h"
#include "common/text/human.h"

#include <algorithm>
#include <utility>

namespace vigil::aggregator::api {
namespace {

using std::chrono::steady_clock;

Result<std::unique_ptr<promql::Expr>> query_parameter(const QueryEngine& engine,
                                                      const http::Request& request) {
  const std::string text = request.get("query");
  if (text.empty()) return fail(Errc::invalid_argument, "parameter query: it is missing");
  auto expr = engine.parse(text);
  if (!expr) return fail(Errc::invalid_argument, "parameter query: {}", expr.error().message);
  return expr;
}

/// `timeout`, of which the time in line is part, and `lookback_delta`.
Result<Ask> ask_parameters(const Errand& errand) {
  Ask ask;
  ask.cancelled = errand.is_canceled;
  const auto lookback = duration_parameter(errand.request, "lookback_delta");
  if (!lookback) return lookback.error();
  if (*lookback) ask.lookback = **lookback;
  const auto timeout = duration_parameter(errand.request, "timeout");
  if (!timeout) return timeout.error();
  if (*timeout) {
    const auto waited =
        std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - errand.asked_at);
    ask.timeout = std::max(**timeout - waited, std::chrono::milliseconds(0));
  }
  return ask;
}

void write_seconds(JsonWriter& json, std::string_view name, steady_clock::duration took) {
  json.member(name, std::chrono::duration<double>(took).count());
}

/// What is known of Prometheus's statistics: the times, and of samples how many the result holds.
WriteStats make_stats(const Errand& errand, steady_clock::time_point began, std::size_t result_samples) {
  if (errand.request.get("stats").empty()) return {};
  const auto waited = began - errand.asked_at;
  const auto evaluated = steady_clock::now() - began;
  return [waited, evaluated, result_samples](JsonWriter& json) {
    json.begin_object().key("timings").begin_object();
    write_seconds(json, "evalTotalTime", evaluated);
    write_seconds(json, "execQueueTime", waited);
    write_seconds(json, "execTotalTime", waited + evaluated);
    json.end_object().key("samples").begin_object();
    json.member("resultSamples", result_samples);
    json.end_object().end_object();
  };
}

void cut(promql::MatrixValue& value, std::size_t limit) {
  limit_series(value.series, limit, value.annotations);
}

void cut(promql::Value& value, std::size_t limit) {
  if (auto* vector = std::get_if<promql::Vector>(&value.data))
    limit_series(*vector, limit, value.annotations);
  if (auto* matrix = std::get_if<promql::Matrix>(&value.data))
    limit_series(*matrix, limit, value.annotations);
}

/// A shard that did not answer within what was left of the request's own time is no trouble of ours.
Error timely(const Error& error, const Errand& errand) {
  const auto timeout = duration_parameter(errand.request, "timeout");
  const bool is_over = timeout && *timeout && steady_clock::now() - errand.asked_at >= **timeout;
  if (error.code != Errc::unavailable || !is_over) return error;
  return fail(Errc::timeout, "the query took longer than the {} its timeout says",
              format_duration(**timeout));
}

}  // namespace

std::shared_ptr<void> OnTheWay::add(std::size_t samples) {
  const std::size_t before = samples_->fetch_add(samples);
  if (before != 0 && before + samples > most_) {
    samples_->fetch_sub(samples);
    return nullptr;
  }
  return {samples_.get(), [all = samples_, samples](void*) { all->fetch_sub(samples); }};
}

template <class Answer>
http::Response Questions::deliver(const Errand& errand, Answer answer, steady_clock::time_point began) {
  if (!answer) return errand.is_canceled() ? canceled() : execution_error(timely(answer.error(), errand));
  const auto limit = limit_parameter(errand.request);
  if (!limit) return bad_data(limit.error());
  cut(*answer, *limit);
  const std::size_t samples = samples_of(*answer);
  auto place = on_the_way_.add(samples);
  if (!place) return too_busy("large answers are on their way already; try again later");
  auto annotations = std::exchange(answer->annotations, {});
  auto steps = result_steps(std::move(*answer), make_stats(errand, began, samples));
  return success_in_steps(
      [place = std::move(place), steps = std::move(steps)](JsonWriter& json) { return steps(json); },
      std::move(annotations));
}

http::Response Questions::instant(const Errand& errand) {
  const auto began = steady_clock::now();
  const auto time = time_parameter(errand.request, "time", sources_.now_ms());
  if (!time) return bad_data(time.error());
  const auto ask = ask_parameters(errand);
  if (!ask) return bad_data(ask.error());
  if (const auto limit = limit_parameter(errand.request); !limit) return bad_data(limit.error());
  const auto expr = query_parameter(sources_.engine, errand.request);
  if (!expr) return bad_data(expr.error());
  return deliver(errand, sources_.engine.instant(**expr, *time, *ask), began);
}

http::Response Questions::range(const Errand& errand) {
  const auto began = steady_clock::now();
  const auto range = range_parameters(errand.request, sources_.engine.limits().max_steps);
  if (!range) return bad_data(range.error());
  const auto ask = ask_parameters(errand);
  if (!ask) return bad_data(ask.error());
  if (const auto limit = limit_parameter(errand.request); !limit) return bad_data(limit.error());
  const auto expr = query_parameter(sources_.engine, errand.request);
  if (!expr) return bad_data(expr.error());
  const auto type = (*expr)->type;
  if (type != promql::ValueType::scalar && type != promql::ValueType::vector)
    return bad_data(
        fmt::format("parameter query: a range of times needs a scalar or an instant vector at each, not a {}",
                    promql::to_string(type)));
  return deliver(errand, sources_.engine.range(**expr, *range, *ask), began);
}

http::Response Questions::exemplars(const Errand& errand) {
  const auto expr = query_parameter(sources_.engine, errand.request);
  if (!expr) return bad_data(expr.error());
  if (const auto span = span_parameters(errand.request); !span) return bad_data(span.error());
  return success([](JsonWriter& json) { json.begin_array().end_array(); });
}

http::Response Questions::format(const Errand& errand) {
  const auto expr = query_parameter(sources_.engine, errand.request);
  if (!expr) return bad_data(expr.error());
  return success([&expr](JsonWriter& json) { json.string(promql::pretty(**expr)); });
}

http::Response Questions::parse(const Errand& errand) {
  const auto expr = query_parameter(sources_.engine, errand.request);
  if (!expr) return bad_data(expr.error());
  return success([&expr](JsonWriter& json) { json.raw(promql::to_json(**expr)); });
}

}  // namespace vigil::aggregator::api
