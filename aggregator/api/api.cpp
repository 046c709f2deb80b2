#include "aggregator/api/api.h"

#include "aggregator/api/alertmanager.h"
#include "aggregator/api/answer.h"
#include "aggregator/api/federate.h"
#include "aggregator/api/program.h"
#include "aggregator/api/rule_lists.h"
#include "aggregator/api/targets.h"
#include "aggregator/serve/graph_page.h"

namespace vigil::aggregator::api {

using Kind = Desk::Kind;

Api::Api(ApiSources sources)
    : sources_(std::move(sources)), questions_(sources_), catalogue_(sources_), desk_(sources_.engine) {}

namespace {

/// Prometheus's page of an expression, where links of rules' templates lead.
http::Response graph_answer(const Errand& errand, const ApiSources& sources) {
  const std::string expression = errand.request.get("g0.expr");
  if (expression.empty()) return graph_page({}, Result<promql::Value>(boost::system::in_place_value));
  return graph_page(expression, sources.engine.instant(expression, sources.now_ms(), errand.is_canceled));
}

}  // namespace

/// A route for GET, for those who ask and a token for queries.
void Api::add(http::Router& router, const std::string& path, Kind kind, const Work& work) {
  router.add_later("GET", path, access::kQuery, desk_.handler(kind, work));
}

/// A route for GET, and for POST with a form.
void Api::add_form(http::Router& router, const std::string& path, Kind kind, const Work& work) {
  add(router, path, kind, work);
  router.add_later("POST", path, access::kQuery, desk_.handler(kind, work));
}

void Api::add_routes(http::Router& router) {
  add_questions(router);
  add_catalogue(router);
  add_state(router);
  add_alertmanager(router);
  add_management(router);
}

void Api::add_questions(http::Router& router) {
  add_form(router, "/api/v1/query", Kind::question,
           [this](const Errand& e) { return questions_.instant(e); });
  add_form(router, "/api/v1/query_range", Kind::question,
           [this](const Errand& e) { return questions_.range(e); });
  add_form(router, "/api/v1/query_exemplars", Kind::lookup,
           [this](const Errand& e) { return questions_.exemplars(e); });
  add_form(router, "/api/v1/format_query", Kind::lookup,
           [this](const Errand& e) { return questions_.format(e); });
  add_form(router, "/api/v1/parse_query", Kind::lookup,
           [this](const Errand& e) { return questions_.parse(e); });
  add(router, "/graph", Kind::question, [this](const Errand& e) { return graph_answer(e, sources_); });
  add(router, "/federate", Kind::question, [this](const Errand& e) { return federate_answer(e, sources_); });
}

void Api::add_catalogue(http::Router& router) {
  add_form(router, "/api/v1/series", Kind::lookup, [this](const Errand& e) { return catalogue_.series(e); });
  add_form(router, "/api/v1/labels", Kind::lookup,
           [this](const Errand& e) { return catalogue_.label_names(e); });
  add(router, "/api/v1/label/", Kind::lookup, [this](const Errand& e) { return catalogue_.label_values(e); });
  add(router, "/api/v1/metadata", Kind::lookup, [this](const Errand& e) { return catalogue_.metadata(e); });
  add(router, "/api/v1/targets/metadata", Kind::lookup,
      [this](const Errand& e) { return catalogue_.target_metadata(e); });
  add(router, "/api/v1/targets", Kind::lookup,
      [this](const Errand& e) { return targets_answer(e, sources_); });
  add(router, "/api/v1/scrape_pools", Kind::lookup, [](const Errand&) { return scrape_pools_answer(); });
  add(router, "/api/v1/rules", Kind::lookup, [this](const Errand& e) { return rules_answer(e, sources_); });
  add(router, "/api/v1/alerts", Kind::lookup, [this](const Errand&) { return alerts_answer(sources_); });
  add(router, "/api/v1/alertmanagers", Kind::lookup, [](const Errand&) { return alertmanagers_answer(); });
}

/// Of the aggregator itself Grafana asks for the version. How it is configured and does is no matter of a
/// token for queries.
void Api::add_state(http::Router& router) {
  add(router, "/api/v1/status/buildinfo", Kind::lookup,
      [this](const Errand&) { return build_info_answer(sources_.facts); });
  const auto add_for_viewers = [this, &router](const std::string& path, const Work& work) {
    router.add_later("GET", path, access::kViewer, desk_.handler(Kind::lookup, work));
  };
  add_for_viewers("/api/v1/status/config", [this](const Errand&) { return config_answer(sources_); });
  add_for_viewers("/api/v1/status/flags", [this](const Errand&) { return flags_answer(sources_.facts); });
  add_for_viewers("/api/v1/status/runtimeinfo",
                  [this](const Errand&) { return runtime_info_answer(sources_); });
  add_for_viewers("/api/v1/status/tsdb", [this](const Errand& e) { return tsdb_answer(e, sources_); });
  add_for_viewers("/api/v1/status/walreplay", [](const Errand&) { return wal_replay_answer(); });
  add_for_viewers("/api/v1/notifications", [](const Errand&) { return notifications_answer(); });
}

void Api::add_alertmanager(http::Router& router) {
  add(router, "/api/v2/status", Kind::lookup,
      [this](const Errand&) { return alertmanager_status_answer(sources_); });
  add(router, "/api/v2/alerts", Kind::lookup,
      [this](const Errand& e) { return alertmanager_alerts_answer(e, sources_); });
  add(router, "/api/v2/alerts/groups", Kind::lookup,
      [this](const Errand& e) { return alertmanager_groups_answer(e, sources_); });
  add(router, "/api/v2/receivers", Kind::lookup,
      [this](const Errand&) { return alertmanager_receivers_answer(sources_); });
  add(router, "/api/v2/silences", Kind::lookup,
      [this](const Errand& e) { return silences_answer(e, sources_); });
  add(router, "/api/v2/silence/", Kind::lookup,
      [this](const Errand& e) { return silence_answer(e, sources_); });
  constexpr std::uint64_t kMostBodyBytes = 64ULL * 1024;
  router.add_later(
      "POST", "/api/v2/silences", access::kOperator,
      desk_.handler(Kind::lookup, [this](const Errand& e) { return put_silence_answer(e, sources_); }),
      {kMostBodyBytes});
  router.add_later(
      "DELETE", "/api/v2/silence/", access::kOperator,
      desk_.handler(Kind::lookup, [this](const Errand& e) { return delete_silence_answer(e, sources_); }));
}

void Api::add_management(http::Router& router) {
  router.add("GET", "/-/healthy", access::kOpen, [](const http::Request&) {
    return http::Response{200, "text/plain; charset=utf-8", "vigil is healthy\n", {}};
  });
  router.add("GET", "/-/ready", access::kOpen, [this](const http::Request&) {
    const std::string reason = sources_.readiness();
    if (reason.empty()) return http::Response{200, "text/plain; charset=utf-8", "vigil is ready\n", {}};
    return http::Response{503, "text/plain; charset=utf-8", reason + "\n", {}};
  });
  for (const char* method : {"POST", "PUT"}) {
    router.add_later(method, "/-/reload", access::kAdmin,
                     [this](const http::Request& request, const http::Responder& responder) {
                       reload(request, responder);
                     });
  }
}

namespace {

/// A line for each thing, as `vigil reload` has rows.
std::string text_of(const ReloadReport& report) {
  std::string text = "reloaded\n";
  for (const auto& [what, list] :
       {std::pair{"changed", &report.changed}, std::pair{"needs a restart", &report.needs_restart},
        std::pair{"warning", &report.warnings}}) {
    for (const std::string& each : *list) text += fmt::format("{}: {}\n", what, each);
  }
  return text;
}

}  // namespace

void Api::reload(const http::Request& request, const http::Responder& responder) const {
  if (sources_.cors.is_foreign(request)) {
    return responder.send(http::error_response(
        403, "forbidden", "a page of another origin may not reload: see http.cors_origin"));
  }
  const access::Actor actor{request.caller.kind, request.caller.name, request.remote};
  if (sources_.audit != nullptr) {
    if (const auto ready = sources_.audit->ready(); !ready)
      return responder.send(http::error_response(ready.error()));
  }
  sources_.reload(actor, [responder](const Result<ReloadReport>& done) {
    const std::string text = done ? text_of(*done) : "not reloaded: " + done.error().message + "\n";
    responder.send({done ? 200U : 500U, "text/plain; charset=utf-8", text, {}});
  });
}

}  // namespace vigil::aggregator::api
