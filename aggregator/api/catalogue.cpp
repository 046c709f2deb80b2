#include "aggregator/api/catalogue.h"

#include "aggregator/api/answer.h"
#include "aggregator/api/parameters.h"
#include "aggregator/promql/parser.h"
#include "common/text/utf8.h"

#include <map>
#include <set>
#include <utility>

namespace vigil::aggregator::api {
namespace {

constexpr std::string_view kValuesPrefix = "/api/v1/label/";
constexpr std::string_view kValuesSuffix = "/values";

/// What `match[]`, `start`, `end` and `limit` ask for.
struct Wish {
  MatcherLists matchers;
  TimeSpan span;
  std::size_t limit = 0;
};

Result<Wish> read_wish(const http::Request& request) {
  auto matchers = match_parameters(request);
  if (!matchers) return matchers.error();
  const auto span = span_parameters(request);
  if (!span) return span.error();
  const auto limit = limit_parameter(request);
  if (!limit) return limit.error();
  return Wish{std::move(*matchers), *span, *limit};
}

template <class T>
promql::Annotations limit_list(std::vector<T>& list, std::size_t limit) {
  promql::Annotations annotations;
  if (limit == 0 || list.size() <= limit) return annotations;
  list.resize(limit);
  annotations.warnings.emplace_back("the list was cut to the limit of the request");
  return annotations;
}

http::Response list_answer(Result<std::vector<std::string>> list, std::size_t limit) {
  if (!list) return execution_error(list.error());
  auto annotations = limit_list(*list, limit);
  auto texts = std::make_shared<std::vector<std::string>>(std::move(*list));
  return success_in_steps(
      [texts, next = std::size_t{0}](JsonWriter& json) mutable {
        if (next == 0) json.begin_array();
        if (next == texts->size()) {
          json.end_array();
          return Progress::done;
        }
        json.string((*texts)[next++]);
        return Progress::more;
      },
      std::move(annotations));
}

void write_metadata(JsonWriter& json, SeriesType type) {
  json.member("type", to_string(type)).member("help", "").member("unit", "");
}

using TypesByName = std::map<std::string, std::set<SeriesType>, std::less<>>;

using Told = std::function<std::optional<ToldMetadata>(std::string_view metric)>;

/// What its sender said of a metric; false when nobody did.
bool write_told(JsonWriter& json, const std::string& metric, const Told& told) {
  const auto metadata = told ? told(metric) : std::nullopt;
  if (!metadata) return false;
  json.key(metric).begin_array().begin_object();
  json.member("type", metadata->type).member("help", metadata->help).member("unit", metadata->unit);
  json.end_object().end_array();
  return true;
}

void write_types(JsonWriter& json, const TypesByName::value_type& metric, std::size_t most) {
  json.key(metric.first).begin_array();
  std::size_t written = 0;
  for (const SeriesType type : metric.second) {
    if (most != 0 && written++ == most) break;
    json.begin_object();
    write_metadata(json, type);
    json.end_object();
  }
  json.end_array();
}

MatcherLists name_is(const std::string& metric) {
  if (metric.empty()) return {};
  return {{*promql::Matcher::create(promql::MatchOp::equal, std::string(kMetricName), metric)}};
}

}  // namespace

http::Response Catalogue::series(const Errand& errand) const {
  auto wish = read_wish(errand.request);
  if (!wish) return bad_data(wish.error());
  if (wish->matchers.empty()) return bad_data("parameter match[]: it is missing; say which series");
  auto found = sources_.engine.view().series(wish->matchers);
  if (!found) return execution_error(found.error());
  auto annotations = limit_list(*found, wish->limit);
  auto list = std::make_shared<std::vector<SeriesInfo>>(std::move(*found));
  return success_in_steps(
      [list, next = std::size_t{0}](JsonWriter& json) mutable {
        if (next == 0) json.begin_array();
        if (next == list->size()) {
          json.end_array();
          return Progress::done;
        }
        json.labels(*(*list)[next++].labels);
        return Progress::more;
      },
      std::move(annotations));
}

http::Response Catalogue::label_names(const Errand& errand) const {
  const auto wish = read_wish(errand.request);
  if (!wish) return bad_data(wish.error());
  return list_answer(sources_.engine.view().label_names(wish->matchers), wish->limit);
}

http::Response Catalogue::label_values(const Errand& errand) const {
  const std::string_view path = errand.request.path;
  if (!path.ends_with(kValuesSuffix) || path.size() <= kValuesPrefix.size() + kValuesSuffix.size())
    return http::error_response(404, "not_found", "nothing is at " + errand.request.path);
  const std::string name = unescape_name(
      path.substr(kValuesPrefix.size(), path.size() - kValuesPrefix.size() - kValuesSuffix.size()));
  if (!is_utf8(name)) return bad_data("the label's name in the path is not UTF-8");
  const auto wish = read_wish(errand.request);
  if (!wish) return bad_data(wish.error());
  return list_answer(sources_.engine.view().label_values(name, wish->matchers), wish->limit);
}

http::Response Catalogue::metadata(const Errand& errand) const {
  const auto limit = limit_parameter(errand.request);
  if (!limit) return bad_data(limit.error());
  const auto per_metric = limit_parameter(errand.request, "limit_per_metric");
  if (!per_metric) return bad_data(per_metric.error());
  const auto found = sources_.engine.view().series(name_is(errand.request.get("metric")));
  if (!found) return execution_error(found.error());
  auto types = std::make_shared<TypesByName>();
  for (const SeriesInfo& series : *found) {
    const std::string_view name = series.labels->get(kMetricName);
    auto at = types->find(name);
    if (at == types->end()) {
      if (*limit != 0 && types->size() == *limit) continue;
      at = types->emplace(name, std::set<SeriesType>()).first;
    }
    at->second.insert(series.type);
  }
  return success_in_steps(
      [types, most = *per_metric, told = sources_.told_metadata, begun = false](JsonWriter& json) mutable {
        if (!std::exchange(begun, true)) json.begin_object();
        if (types->empty()) {
          json.end_object();
          return Progress::done;
        }
        const auto metric = types->extract(types->begin());
        if (!write_told(json, metric.key(), told)) write_types(json, {metric.key(), metric.mapped()}, most);
        return Progress::more;
      });
}

http::Response Catalogue::target_metadata(const Errand& errand) const {
  const auto limit = limit_parameter(errand.request);
  if (!limit) return bad_data(limit.error());
  const std::string match = errand.request.get("match_target");
  MatcherLists matchers;
  if (!match.empty()) {
    auto selector = promql::parse_selector(match);
    if (!selector) return bad_data("parameter match_target: " + selector.error().message);
    matchers.push_back(std::move(selector->matchers));
  }
  const std::string metric = errand.request.get("metric");
  if (!metric.empty()) {
    if (matchers.empty()) matchers.emplace_back();
    matchers.front().push_back(name_is(metric).front().front());
  }
  const auto found = sources_.engine.view().series(matchers);
  if (!found) return execution_error(found.error());
  // Of each target and metric once; as text, for there may be as many as series.
  std::set<std::vector<std::string_view>> seen;
  JsonWriter json;
  json.begin_array();
  for (const SeriesInfo& series : *found) {
    const std::string_view instance = series.labels->get("instance");
    const std::string_view job = series.labels->get("job");
    const std::string_view name = series.labels->get(kMetricName);
    if (!seen.insert({instance, job, name}).second) continue;
    json.begin_object().key("target").begin_object();
    json.member("instance", instance).member("job", job).end_object();
    if (metric.empty()) json.member("metric", name);
    write_metadata(json, series.type);
    json.end_object();
    if (*limit != 0 && seen.size() == *limit) break;
  }
  json.end_array();
  return success([text = json.take()](JsonWriter& out) { out.raw(text); });
}

}  // namespace vigil::aggregator::api
