#include "aggregator/serve/actions_service.h"

#include "aggregator/serve/unary.h"
#include "common/text/human.h"
#include "common/wire/names.h"

#include <algorithm>
#include <map>

namespace vigil::aggregator {
namespace {

using Cancelled = QueryEngine::Cancelled;

constexpr std::uint32_t kUsualRuns = 100;
constexpr std::uint32_t kMostRunsListed = 1'000;
constexpr std::size_t kMostTextBytes = 1'024;

/// What a run said is long.
enum class Output : std::uint8_t { shown, left_out };

void put_run(const actions::Run& run, Output output, v1::ActionRun& out) {
  out.set_id(run.id);
  out.set_action(run.action);
  out.set_host(run.subject.host);
  out.set_trigger(std::string(to_string(run.trigger)));
  out.set_alert(run.subject.alert);
  out.set_fingerprint(run.subject.fingerprint);
  out.set_state(std::string(to_string(run.state)));
  out.set_reason(run.reason);
  out.set_created_ms(run.created_ms);
  out.set_started_ms(run.started_ms);
  out.set_ended_ms(run.ended_ms);
  out.set_author(run.author);
  out.set_comment(run.comment);
  if (run.outcome.code) out.set_code(*run.outcome.code);
  if (output == Output::shown) out.set_output(run.outcome.output);
  out.set_output_cut(run.outcome.is_output_cut);
  out.set_effect(run.effect);
  if (run.before) out.set_before(*run.before);
  if (run.after) out.set_after(*run.after);
  out.set_measured_ms(run.measure_at_ms);
}

void put_action(const actions::ActionConfig& action, v1::Action& out) {
  out.set_name(action.name);
  out.set_kind(std::string(kind_of(action)));
  out.set_does(summary_of(action));
  out.set_needs_approval(action.approval);
  out.set_dry_run(action.dry_run);
  out.set_cooldown_ms(action.cooldown.count());
  out.set_max_per_hour(action.max_per_hour);
  out.set_concurrency(action.concurrency);
  out.set_timeout_ms(action.timeout.count());
}

Result<void> check_texts(const std::string& author, const std::string& comment) {
  if (author.empty()) return fail(Errc::invalid_argument, "author is missing: who wants it");
  if (author.size() > kMostTextBytes || comment.size() > kMostTextBytes)
    return fail(Errc::limit, "author and comment may have {} bytes each", kMostTextBytes);
  return {};
}

/// "db-1, web-1 and 7 more"
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 20;
  const std::size_t shown = std::min(names.size(), kShown);
  std::string out = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (shown < names.size()) out += fmt::format(" and {} more", names.size() - shown);
  return out;
}

}  // namespace

/// A run about a host that is not there would fail later, when nobody looks.
Result<void> ActionsService::check_host(const v1::RunActionRequest& request) const {
  const std::string& name = request.host();
  if (name.empty()) return {};
  if (!wire::valid_host_name(name)) return fail(Errc::invalid_argument, "host is not the name of a host");
  const auto hosts = engine_.view().hosts();
  if (!hosts) return hosts.error();
  const auto configured = alerts_.actions();
  const auto action = std::ranges::find(configured, request.action(), &actions::ActionConfig::name);
  if (action == configured.end()) return {};  // said where it is asked for
  const bool is_agents = actions::kind_of(*action) == "agent";
  const auto host = std::ranges::find(*hosts, name, &HostInfo::name);
  if (host != hosts->end()) {
    if (is_agents && !host->connected)
      return fail(Errc::conflict, "the agent of {} is not connected: {} cannot be run there", name,
                  request.action());
    return {};
  }
  const auto is_about_it = [&name](const alerts::AlertInfo& alert) { return alert.instance == name; };
  if (std::ranges::any_of(alerts_.alerts(), is_about_it)) {  // its samples are pushed
    if (!is_agents) return {};
    return fail(Errc::conflict, "{} has no agent: {} cannot be run there", name, request.action());
  }
  std::vector<std::string> names;
  for (const HostInfo& info : *hosts) {
    if (kind_of(info.name) == HostKind::agent) names.push_back(info.name);
  }
  if (names.empty()) return fail(Errc::not_found, "no host is called {}: there are none yet", name);
  const std::string_view meant = suggest(name, names);
  return fail(Errc::not_found, "no host is called {}; {}", name,
              meant.empty() ? "there are " + some_of(names) : fmt::format("did you mean {}?", meant));
}

grpc::ServerUnaryReactor* ActionsService::ListActions(grpc::CallbackServerContext* context,
                                                      const v1::ListActionsRequest*,
                                                      v1::ListActionsResponse* response) {
  return answer(engine_, context, [this, response](const Cancelled&) -> Result<void> {
    std::map<std::string, v1::Action*> by_name;
    for (const actions::ActionConfig& action : alerts_.actions()) {
      v1::Action& out = *response->add_actions();
      put_action(action, out);
      by_name[action.name] = &out;
    }
    for (const auto& [name, figures] : alerts_.run_figures()) {
      const auto found = by_name.find(name);
      if (found == by_name.end()) continue;
      found->second->set_runs(figures.begun);
      found->second->set_last_started_ms(figures.last_started_ms);
    }
    for (const alerts::RuleInfo& info : alerts_.rules()) {
      for (const rules::WantedAction& wanted : info.rule->extras.actions) {
        if (const auto found = by_name.find(wanted.name); found != by_name.end())
          found->second->add_rules(info.rule->name);
      }
    }
    return {};
  });
}

grpc::ServerUnaryReactor* ActionsService::ListRuns(grpc::CallbackServerContext* context,
                                                   const v1::ListRunsRequest* request,
                                                   v1::ListRunsResponse* response) {
  return answer(engine_, context, [this, request, response](const Cancelled&) -> Result<void> {
    const std::size_t limit =
        request->limit() == 0 ? kUsualRuns : std::min(request->limit(), kMostRunsListed);
    const auto runs =
        alerts_.runs({request->action(), request->id(), request->fingerprint(), request->waiting(), limit});
    if (runs.empty() && !request->action().empty()) {
      const auto known = alerts_.actions();
      if (std::ranges::find(known, request->action(), &actions::ActionConfig::name) == known.end())
        return fail(Errc::not_found, "no action is called {}", request->action());
    }
    for (const actions::Run& run : runs)
      put_run(run, request->id().empty() ? Output::left_out : Output::shown, *response->add_runs());
    return {};
  });
}

grpc::ServerUnaryReactor* ActionsService::RunAction(grpc::CallbackServerContext* context,
                                                    const v1::RunActionRequest* request,
                                                    v1::RunActionResponse* response) {
  return answer(engine_, context, [this, context, request, response](const Cancelled&) -> Result<void> {
    if (auto fine = check_texts(request->author(), request->comment()); !fine) return fine;
    if (auto ready = log_.ready(); !ready) return ready;
    if (auto fine = check_host(*request); !fine) return fine;
    actions::Order order;
    order.action = request->action();
    order.trigger = actions::Trigger::manual;
    order.subject.host = request->host();
    order.author = request->author();
    order.comment = request->comment();
    order.dry_run = request->dry_run();
    const auto run = alerts::run_action(alerts_, std::move(order));
    if (!run) return run.error();
    put_run(*run, Output::shown, *response->mutable_run());
    return log_.note(*context, {"action.run", run->id, "", access::json_of(*request)});
  });
}

grpc::ServerUnaryReactor* ActionsService::DecideRun(grpc::CallbackServerContext* context,
                                                    const v1::DecideRunRequest* request,
                                                    v1::DecideRunResponse* response) {
  return answer(engine_, context, [this, context, request, response](const Cancelled&) -> Result<void> {
    if (auto fine = check_texts(request->author(), request->comment()); !fine) return fine;
    if (auto ready = log_.ready(); !ready) return ready;
    const auto run = alerts::decide_run(alerts_, request->id(),
                                        {request->approve(), request->author(), request->comment()});
    if (!run) return run.error();
    put_run(*run, Output::shown, *response->mutable_run());
    return log_.note(*context, {request->approve() ? "action.approve" : "action.reject", run->id, "",
                                access::json_of(*request)});
  });
}

}  // namespace vigil::aggregator
