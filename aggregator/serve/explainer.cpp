#include "aggregator/serve/explainer.h"

#include "aggregator/serve/fleet_service.h"
#include "common/text/human.h"

#include <algorithm>
#include <utility>

namespace vigil::aggregator {
namespace {

bool alerts_by(const alerts::RuleInfo& info) {
  return info.rule->kind == rules::RuleKind::alert;
}

Error no_rule(const std::vector<alerts::RuleInfo>& rules, const std::string& name) {
  std::vector<std::string> names;
  for (const alerts::RuleInfo& info : rules) {
    if (alerts_by(info)) names.push_back(info.rule->name);
  }
  const std::string_view meant = suggest(name, names);
  return fail(Errc::not_found,
              "no alert {} is listed by `vigil alerts`, and no alerting rule is called so{}; `vigil rules` "
              "lists them",
              name, meant.empty() ? "" : fmt::format(": did you mean {}?", meant));
}

}  // namespace

Unheard unheard_by(const FleetSources& sources) {
  const auto hosts = sources.engine.view().hosts();
  return hosts ? unheard_of(*hosts) : Unheard();
}

Result<void> Explainer::explain(const v1::ExplainAlertRequest& request, v1::ExplainAlertResponse& out) const {
  return request.rule().empty() ? explain_alert(request.id(), out)
                                : explain_rules(request.rule(), request.host(), out);
}

Result<void> Explainer::explain_alert(const std::string& id, v1::ExplainAlertResponse& out) const {
  auto explained = alerts::explain(sources_.alerts, id);
  if (!explained) return explained.error();
  const alerts::AlertInfo& alert = explained->alert;
  put_alert(alert, unheard_by(sources_), *out.mutable_alert());
  if (const std::int64_t since_ms = out.alert().unheard_since_ms(); since_ms != 0)
    alerts::add_event({alerts::Event::Kind::unheard, since_ms, alert.instance, ""}, explained->events);
  for (const alerts::Event& event : explained->events) put_event(event, *out.add_events());
  auto rules = sources_.alerts.rules();
  std::erase_if(rules, [&alert](const alerts::RuleInfo& info) { return info.rule->key != alert.rule_key; });
  add_outlooks(rules, alert.instance, out);
  return {};
}

Result<void> Explainer::explain_rules(const std::string& name, const std::string& host,
                                      v1::ExplainAlertResponse& out) const {
  auto rules = sources_.alerts.rules();
  std::vector<alerts::RuleInfo> meant;
  std::ranges::copy_if(rules, std::back_inserter(meant), [&name](const alerts::RuleInfo& info) {
    return alerts_by(info) && info.rule->name == name;
  });
  if (meant.empty()) return no_rule(rules, name);
  add_outlooks(meant, host, out);
  return {};
}

void Explainer::add_outlooks(const std::vector<alerts::RuleInfo>& rules, const std::string& name,
                             v1::ExplainAlertResponse& out) const {
  alerts::HostOutlook host;
  host.name = name;
  if (const auto hosts = sources_.engine.view().hosts(); hosts && !name.empty()) {
    host.is_known = std::ranges::any_of(*hosts, [&name](const HostInfo& info) { return info.name == name; });
    host.is_awaited = std::ranges::any_of(*hosts, [&name](const HostInfo& info) {
      return info.name == name && info.state == HostState::late && info.since_earlier;
    });
    const Unheard unheard = unheard_of(*hosts);
    if (const auto away = unheard.find(name); away != unheard.end()) host.unheard_since_ms = away->second;
  }
  const auto ask = [this](const promql::Expr& expr, std::int64_t t_ms) -> Result<promql::Vector> {
    Ask how;
    how.cancelled = cancelled_;
    auto value = sources_.engine.instant(expr, t_ms, how);
    if (!value) return value.error();
    if (auto* vector = std::get_if<promql::Vector>(&value->data)) return std::move(*vector);
    promql::Vector single;
    if (const auto* scalar = std::get_if<promql::Scalar>(&value->data))
      single.push_back({std::make_shared<const Labels>(), t_ms, scalar->v});
    return single;
  };
  const auto listed = sources_.alerts.alerts();
  const auto silences = sources_.alerts.silences();
  for (const alerts::RuleInfo& info : rules)
    put_outlook(alerts::look_at(info, host, {ask, listed, *silences, sources_.now_ms()}), *out.add_rules());
}

}  // namespace vigil::aggregator
