#include "aggregator/api/alertmanager.h"

#include "aggregator/api/json_writer.h"
#include "aggregator/api/parameters.h"
#include "aggregator/silences/silence_json.h"
#include "common/json/fields.h"
#include "common/text/human.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace vigil::aggregator::api {
namespace {

namespace json = boost::json;
using alerts::AlertInfo;
using promql::MatchOp;
using silences::Silence;

constexpr const char* kContentType = "application/json";
constexpr std::size_t kMostFilters = 16;
constexpr std::int64_t kStillFiringMs = 300'000;  // an alert that goes on has an end ahead, as there

http::Response answer(const std::function<void(JsonWriter&)>& write) {
  JsonWriter json;
  write(json);
  return {200, kContentType, json.take(), {}};
}

/// Errors are a JSON string here.
http::Response refusal(unsigned status, std::string_view message) {
  JsonWriter json;
  json.string(message);
  return {status, kContentType, json.take(), {}};
}

http::Response refusal(const Error& error) {
  switch (error.code) {
    case Errc::not_found:
      return refusal(404, error.message);
    case Errc::unavailable:
    case Errc::limit:
      return refusal(503, error.message);
    case Errc::invalid_argument:
    case Errc::parse:
    case Errc::unsupported:
      return refusal(400, error.message);
    default:
      return refusal(500, error.message);
  }
}

bool is_regex(const promql::Matcher& matcher) {
  return matcher.op() == MatchOp::regex || matcher.op() == MatchOp::not_regex;
}
bool is_equal(const promql::Matcher& matcher) {
  return matcher.op() == MatchOp::equal || matcher.op() == MatchOp::regex;
}

// ---- reading

Result<matchers::Matchers> filter_of(const http::Request& request) {
  matchers::Matchers out;
  const auto texts = request.all("filter");
  if (texts.size() > kMostFilters) return fail(Errc::invalid_argument, "at most {} filters", kMostFilters);
  for (const std::string& text : texts) {
    auto parsed = matchers::parse_matchers(text);
    if (!parsed) return fail(Errc::invalid_argument, "filter {}: {}", text, parsed.error().message);
    for (auto& matcher : parsed->matchers) out.push_back(std::move(matcher));
  }
  return out;
}

/// "true" unless it says otherwise, as every flag of this API.
Result<bool> flag_of(const http::Request& request, const std::string& name) {
  const std::string text = request.get(name, "true");
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return fail(Errc::invalid_argument, "parameter {}: '{}' must be true or false", name, text);
}

Result<bool> bool_at(const json::object& from, std::string_view key, bool fallback) {
  const json::value* found = from.if_contains(key);
  if (found == nullptr || found->is_null()) return fallback;
  if (!found->is_bool()) return fail(Errc::parse, "{}: must be true or false", key);
  return found->get_bool();
}

/// "" when it is not there.
Result<std::string> text_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  if (found == nullptr || found->is_null()) return std::string();
  if (!found->is_string()) return fail(Errc::parse, "{}: must be a text", key);
  return std::string(found->get_string());
}

Result<promql::Matcher> matcher_from(const json::value& from) {
  if (!from.is_object()) return fail(Errc::parse, "matchers: each is an object with name and value");
  const json::object& object = from.get_object();
  auto name = text_at(object, "name");
  if (!name) return name.error();
  if (name->empty()) return fail(Errc::parse, "matchers: one has no name");
  auto value = text_at(object, "value");
  if (!value) return value.error();
  const auto equal = bool_at(object, "isEqual", true);
  if (!equal) return equal.error();
  const auto regex = bool_at(object, "isRegex", false);
  if (!regex) return regex.error();
  const MatchOp op = *regex ? (*equal ? MatchOp::regex : MatchOp::not_regex)
                            : (*equal ? MatchOp::equal : MatchOp::not_equal);
  return matchers::create_small(op, std::move(*name), std::move(*value));
}

Result<std::int64_t> time_at(const json::object& from, std::string_view key) {
  const auto text = text_at(from, key);
  if (!text) return text.error();
  auto time = parse_timestamp(*text);
  if (!time) return fail(Errc::parse, "{}: {}", key, time.error().message);
  return time;
}

// ---- writing

void write_silence(JsonWriter& json, const Silence& silence, std::int64_t now_ms) {
  json.begin_object().member("id", silence.id).key("status").begin_object();
  json.member("state", silences::to_string(silence.state_at(now_ms))).end_object();
  json.member("updatedAt", format_rfc3339(silence.updated_ms)).member("comment", silence.comment);
  json.member("createdBy", silence.author).member("endsAt", format_rfc3339(silence.ends_ms));
  json.member("startsAt", format_rfc3339(silence.starts_ms)).key("matchers").begin_array();
  for (const promql::Matcher& matcher : silence.matchers) {
    json.begin_object().member("name", matcher.name()).member("value", matcher.value());
    json.key("isRegex").boolean(is_regex(matcher)).key("isEqual").boolean(is_equal(matcher)).end_object();
  }
  json.end_array().end_object();
}

void write_array(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  json.key(key).begin_array();
  for (const std::string& text : texts) json.string(text);
  json.end_array();
}

/// Where people read about it; "" when nobody said how we are reached.
std::string page_of(const AlertInfo& alert, const ApiSources& sources) {
  const std::string& url = sources.facts.external_url;
  return url.empty() ? url : fmt::format("{}/alerts/{}", url, alert.fingerprint);
}

void write_alert(JsonWriter& json, const AlertInfo& alert, const ApiSources& sources) {
  const std::int64_t now_ms = sources.now_ms();
  const std::vector<std::string> inhibited =
      alert.inhibitor.empty() ? std::vector<std::string>() : std::vector{alert.inhibitor};
  const bool suppressed = !inhibited.empty() || !alert.silenced_by.empty();
  json.begin_object().key("annotations").labels(alert.annotations);
  json.member("endsAt", format_rfc3339(now_ms + kStillFiringMs)).member("fingerprint", alert.fingerprint);
  json.key("receivers").begin_array();
  for (const std::string& name : alert.receivers) json.begin_object().member("name", name).end_object();
  json.end_array().member("startsAt", format_rfc3339(alert.fired_at_ms));
  json.key("status").begin_object();
  write_array(json, "inhibitedBy", inhibited);
  write_array(json, "silencedBy", alert.silenced_by);
  write_array(json, "mutedBy", {});
  json.member("state", suppressed ? "suppressed" : "active").end_object();
  json.member("updatedAt", format_rfc3339(now_ms)).member("generatorURL", page_of(alert, sources));
  json.key("labels").labels(alert.labels).end_object();
}

/// Those that fire and that the parameters ask for.
Result<std::vector<AlertInfo>> wanted_alerts(const http::Request& request, const ApiSources& sources) {
  const auto filter = filter_of(request);
  if (!filter) return filter.error();
  const auto active = flag_of(request, "active");
  const auto silenced = flag_of(request, "silenced");
  const auto inhibited = flag_of(request, "inhibited");
  for (const auto* flag : {&active, &silenced, &inhibited}) {
    if (!*flag) return flag->error();
  }
  std::vector<AlertInfo> out = sources.alerts();
  std::erase_if(out, [&](const AlertInfo& alert) {
    if (alert.state != alerts::State::firing || !matchers::matches(*filter, alert.labels)) return true;
    const bool is_silenced = !alert.silenced_by.empty();
    const bool is_inhibited = !alert.inhibited_by.empty();
    if (!is_silenced && !is_inhibited) return !*active;
    return (is_silenced && !*silenced) || (is_inhibited && !*inhibited);
  });
  return out;
}

/// By receiver and labels. Receivers of single alerts have one group each, without labels.
std::map<std::pair<std::string, Labels>, std::vector<const AlertInfo*>> groups_of(
    const std::vector<AlertInfo>& alerts) {
  std::map<std::pair<std::string, Labels>, std::vector<const AlertInfo*>> out;
  for (const AlertInfo& alert : alerts) {
    for (const std::string& receiver : alert.notified) out[{receiver, Labels()}].push_back(&alert);
    for (const alerts::GroupPlace& place : alert.groups)
      out[{place.receiver, place.labels}].push_back(&alert);
  }
  return out;
}

/// As Alertmanager's: a silence is asked for by what its matchers say, not by what they match.
bool has_matcher(const Silence& silence, const promql::Matcher& wanted) {
  return std::ranges::any_of(silence.matchers, [&](const promql::Matcher& matcher) {
    return matcher.name() == wanted.name() && matcher.op() == wanted.op() &&
           matcher.value() == wanted.value();
  });
}

constexpr std::string_view kSilencePath = "/api/v2/silence/";

/// What no id has where the path says more.
std::string id_of(const http::Request& request) {
  return request.path.substr(kSilencePath.size());
}

/// Of any page but our own: http.cors_origin lets others read.
bool is_foreign(const Errand& errand) {
  return http::Cors().is_foreign(errand.request);
}

/// What a silence was, or is, for the log of changes.
std::string logged(const Silence* silence) {
  return silence == nullptr ? "" : silences::encode(*silence);
}

Result<void> ready_to_log(const ApiSources& sources) {
  return sources.audit == nullptr ? Result<void>() : sources.audit->ready();
}

Result<void> log_change(const Errand& errand, const ApiSources& sources, access::Change change) {
  if (sources.audit == nullptr) return {};
  const access::Caller& caller = errand.request.caller;
  return sources.audit->note({caller.kind, caller.name, errand.request.remote}, std::move(change));
}

http::Response foreign() {
  return refusal(403, "a page of another origin may not change silences");
}

}  // namespace

Result<Silence> parse_silence(std::string_view body) {
  const auto parsed = json_fields::parse_object(body, "the silence");
  if (!parsed) return parsed.error();
  const json::object& from = *parsed;
  Silence silence;
  for (auto [key, text] :
       {std::pair{"id", &silence.id}, {"createdBy", &silence.author}, {"comment", &silence.comment}}) {
    auto read = text_at(from, key);
    if (!read) return read.error();
    *text = std::move(*read);
  }
  const auto starts = time_at(from, "startsAt");
  if (!starts) return starts.error();
  const auto ends = time_at(from, "endsAt");
  if (!ends) return ends.error();
  silence.starts_ms = *starts;
  silence.ends_ms = *ends;
  const json::value* list = from.if_contains("matchers");
  if (list == nullptr || !list->is_array()) return fail(Errc::parse, "matchers: must be an array");
  for (const json::value& entry : list->get_array()) {
    auto matcher = matcher_from(entry);
    if (!matcher) return matcher.error();
    silence.matchers.push_back(std::move(*matcher));
    if (silence.matchers.size() > silences::kMostMatchers) break;  // check() refuses it
  }
  return silence;
}

http::Response alertmanager_status_answer(const ApiSources& sources) {
  return answer([&sources](JsonWriter& json) {
    json.begin_object().key("cluster").begin_object().member("status", "disabled").end_object();
    json.key("config").begin_object().member("original", "").end_object();
    json.member("uptime", format_rfc3339(sources.facts.started_ms)).key("versionInfo").begin_object();
    for (const char* key : {"branch", "buildDate", "buildUser", "goVersion", "revision"})
      json.member(key, "");
    json.member("version", sources.facts.version).end_object().end_object();
  });
}

http::Response alertmanager_alerts_answer(const Errand& errand, const ApiSources& sources) {
  const auto alerts = wanted_alerts(errand.request, sources);
  if (!alerts) return refusal(alerts.error());
  return answer([&](JsonWriter& json) {
    json.begin_array();
    for (const AlertInfo& alert : *alerts) write_alert(json, alert, sources);
    json.end_array();
  });
}

http::Response alertmanager_groups_answer(const Errand& errand, const ApiSources& sources) {
  const auto alerts = wanted_alerts(errand.request, sources);
  if (!alerts) return refusal(alerts.error());
  const auto groups = groups_of(*alerts);
  return answer([&](JsonWriter& json) {
    json.begin_array();
    for (const auto& [place, members] : groups) {
      json.begin_object().key("labels").labels(place.second);
      json.key("receiver")
          .begin_object()
          .member("name", place.first)
          .end_object()
          .key("alerts")
          .begin_array();
      for (const AlertInfo* alert : members) write_alert(json, *alert, sources);
      json.end_array().end_object();
    }
    json.end_array();
  });
}

http::Response alertmanager_receivers_answer(const ApiSources& sources) {
  return answer([&sources](JsonWriter& json) {
    json.begin_array();
    for (const std::string& name : sources.receivers()) json.begin_object().member("name", name).end_object();
    json.end_array();
  });
}

http::Response silences_answer(const Errand& errand, const ApiSources& sources) {
  const auto filter = filter_of(errand.request);
  if (!filter) return refusal(filter.error());
  const std::int64_t now = sources.now_ms();
  const auto book = sources.silences();
  return answer([&](JsonWriter& json) {
    json.begin_array();
    for (const Silence* silence : book->listed(now)) {
      const bool wanted = std::ranges::all_of(
          *filter, [silence](const promql::Matcher& matcher) { return has_matcher(*silence, matcher); });
      if (wanted) write_silence(json, *silence, now);
    }
    json.end_array();
  });
}

http::Response silence_answer(const Errand& errand, const ApiSources& sources) {
  const auto book = sources.silences();
  const Silence* found = book->find(id_of(errand.request));
  if (found == nullptr) return refusal(404, fmt::format("there is no silence {}", id_of(errand.request)));
  return answer([&](JsonWriter& json) { write_silence(json, *found, sources.now_ms()); });
}

http::Response put_silence_answer(const Errand& errand, const ApiSources& sources) {
  if (is_foreign(errand)) return foreign();
  auto silence = parse_silence(errand.request.body);
  if (!silence) return refusal(silence.error());
  const auto book = sources.silences();
  const Silence* before = book->find(silence->id);
  if (before != nullptr && before->window)
    return refusal(
        400, "this silence comes again, which this API cannot say: set another one with vigil silence add");
  if (const auto ready = ready_to_log(sources); !ready) return refusal(ready.error());
  const auto id = sources.put_silence(std::move(*silence));
  if (!id) return refusal(id.error());
  const auto after = sources.silences();
  const auto noted =
      log_change(errand, sources, {"silence.set", *id, logged(before), logged(after->find(*id))});
  if (!noted) return refusal(noted.error());
  return answer([&id](JsonWriter& json) { json.begin_object().member("silenceID", *id).end_object(); });
}

http::Response delete_silence_answer(const Errand& errand, const ApiSources& sources) {
  if (is_foreign(errand)) return foreign();
  if (const auto ready = ready_to_log(sources); !ready) return refusal(ready.error());
  const std::string id = id_of(errand.request);
  const auto book = sources.silences();
  const auto done = sources.expire_silence(id);
  if (!done) return refusal(done.error());
  const auto after = sources.silences();
  const auto noted =
      log_change(errand, sources, {"silence.expire", id, logged(book->find(id)), logged(after->find(id))});
  if (!noted) return refusal(noted.error());
  return {200, kContentType, "", {}};
}

}  // namespace vigil::aggregator::api
