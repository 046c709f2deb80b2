#include "aggregator/serve/fleet_service.h"

#include "aggregator/alerts/silencing.h"
#include "aggregator/promql/ast.h"
#include "aggregator/serve/alert_messages.h"
#include "aggregator/serve/explainer.h"
#include "aggregator/serve/glance.h"
#include "aggregator/serve/route_messages.h"
#include "aggregator/serve/silence_doubts.h"
#include "aggregator/serve/silence_messages.h"
#include "aggregator/serve/unary.h"
#include "aggregator/silences/silence_json.h"
#include "common/text/human.h"
#include "common/text/lines.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vigil::aggregator {
namespace {

constexpr std::int64_t kTellOfMachineMs = 86'400'000;

v1::Host::State to_proto(HostState state) {
  switch (state) {
    case HostState::up:
      return v1::Host::STATE_UP;
    case HostState::late:
      return v1::Host::STATE_LATE;
    case HostState::down:
      return v1::Host::STATE_DOWN;
    case HostState::left:
      return v1::Host::STATE_LEFT;
  }
  return v1::Host::STATE_UNSPECIFIED;
}

template <class Map>
void put_map(const Labels& labels, Map& out) {
  for (const LabelView& label : labels) out[std::string(label.name)] = label.value;
}

void put_host(const HostInfo& info, v1::Host& out) {
  out.set_name(info.name);
  out.set_kind(std::string(to_string(kind_of(info.name))));
  out.set_state(to_proto(info.state));
  out.set_since_ms(info.since_ms);
  out.set_since_earlier(info.since_earlier);
  out.set_machine_changed_ms(info.machine_changed_ms);
  out.set_last_sample_ms(info.last_sample_ms);
  out.set_clock_skew_seconds(info.clock_skew_seconds);
  out.set_agent_version(info.agent_version);
  out.set_boot_id(info.boot_id);
  out.set_remote(info.remote);
  put_map(info.labels, *out.mutable_labels());
  out.set_series(info.series);
  out.set_interval_ms(info.interval_ms);
  out.set_delivery_interval_ms(info.delivery_interval_ms);
  out.set_duplicates(info.duplicates);
  out.set_duplicate_remote(info.duplicate_remote);
  out.set_gap_batches(info.gap_batches);
  out.set_lost_batches(info.lost_batches);
}

void put_channel(const notify::ReceiverStats& stats, v1::ReceiverChannel& out) {
  const std::size_t slash = stats.takes_groups ? stats.receiver.rfind('/') : std::string::npos;
  out.set_receiver(stats.receiver.substr(0, slash));
  if (slash != std::string::npos) out.set_channel(stats.receiver.substr(slash + 1));
  out.set_kind(stats.kind);
  out.set_state(stats.kind == "gone"        ? "gone"
                : !stats.last_error.empty() ? "failing"
                : stats.queued > 0          ? "waiting"
                                            : "ok");
  out.set_waiting(stats.queued);
  out.set_delivered(stats.delivered);
  out.set_failures(stats.failures);
  out.set_given_up(stats.dead);
  out.set_last_error(stats.last_error);
}

void put_rule(const alerts::RuleInfo& info, v1::Rule& out) {
  const rules::Rule& rule = *info.rule;
  out.set_group(rule.group);
  out.set_file(rule.line > 0 ? fmt::format("{}:{}", rule.file, rule.line) : rule.file);
  out.set_name(rule.name);
  out.set_expression(rule.expr_text);
  out.set_for_ms(rule.hold.count());
  for (const auto& label : rule.labels) (*out.mutable_labels())[label.name] = label.text;
  for (const auto& annotation : rule.annotations)
    (*out.mutable_annotations())[annotation.name] = annotation.text;
  out.set_state(std::string(alerts::to_string(info.state)));
  out.set_pending(static_cast<std::uint32_t>(info.pending));
  out.set_firing(static_cast<std::uint32_t>(info.firing));
  out.set_last_error(info.last_error);
  out.set_recording(rule.kind == rules::RuleKind::record);
  out.set_last_evaluation_ms(info.last_evaluation_ms);
  std::string origin;
  for (const auto& part : rule.explain)
    origin += fmt::format("{}{} = {} from {}", origin.empty() ? "" : "; ", part.what, part.value, part.from);
  out.set_origin(origin);
  for (const rules::WantedAction& wanted : rule.extras.actions)
    out.add_actions(wanted.name + (wanted.on_resolved ? " on resolved" : ""));
}

/// As the log of changes has it; "" where there is none.
std::string logged_silence(const alerts::AlertService& alerts, const std::string& id) {
  const auto book = alerts.silences();
  const silences::Silence* silence = book->find(id);
  return silence == nullptr ? "" : silences::encode(*silence);
}

void count_hosts(const std::vector<HostInfo>& hosts, v1::Status& out) {
  for (const HostInfo& host : hosts) {
    if (kind_of(host.name) != HostKind::agent) {
      out.set_series(out.series() + host.series);
      continue;
    }
    switch (host.state) {
      case HostState::up:
        out.set_hosts_up(out.hosts_up() + 1);
        break;
      case HostState::late:
        out.set_hosts_late(out.hosts_late() + 1);
        break;
      case HostState::down:
        out.set_hosts_down(out.hosts_down() + 1);
        break;
      case HostState::left:
        out.set_hosts_left(out.hosts_left() + 1);
        break;
    }
    out.set_series(out.series() + host.series);
    if (!host.duplicate_remote.empty()) {
      out.add_problems(fmt::format("two agents call themselves {}: the second one is at {}", host.name,
                                   host.duplicate_remote));
    }
    if (!host.refusal.empty())
      out.add_problems(fmt::format("the agent of {} is turned away: {}", host.name, host.refusal));
    if (host.machine_changed_ms != 0 && out.now_ms() - host.machine_changed_ms < kTellOfMachineMs) {
      out.add_problems(fmt::format(
          "another machine took the name {} at {} ({}): replaced, or do two machines use one name?",
          host.name, format_rfc3339(host.machine_changed_ms / 1000 * 1000), host.remote));
    }
    if (host.lost_batches > 0) {
      out.add_problems(fmt::format(
          "of {} {} acknowledged and not here: was an older copy of the data restored? vigil gaps {}",
          host.name, counted(host.lost_batches, "batch is", "batches are"), host.name));
    }
    if (std::abs(host.clock_skew_seconds) > 5) {
      out.add_problems(fmt::format("the clock of {} is {:+.1f} s off", host.name, host.clock_skew_seconds));
    }
  }
}

void put_dead_letter(const alerts::DeadLetter& letter, v1::DeadMessage& out) {
  constexpr std::size_t kMostNames = 20;
  out.set_id(letter.row.id);
  out.set_channel(letter.row.receiver);
  out.set_status(letter.is_readable ? std::string(notify::to_string(letter.row.note.kind)) : "unreadable");
  if (letter.is_readable) {
    for (const std::string& name : alerts::about(letter.row, kMostNames)) out.add_about(name);
    out.set_alerts(alerts::alerts_in(letter.row));
  }
  out.set_created_ms(letter.row.created_ms);
  out.set_given_up_ms(letter.given_up_ms);
  out.set_attempts(static_cast<std::uint64_t>(letter.row.attempts));
  out.set_last_error(letter.error);
}

/// Some by their ids, or, where it says so, all.
template <class Request>
Result<alerts::LetterChoice> choice_of(const Request& request) {
  constexpr int kMostIds = 1000;
  if (request.all() == !request.ids().empty())
    return fail(Errc::invalid_argument,
                "name the messages by their ids, or say all; not both, and not neither");
  if (!request.all() && !request.receiver().empty())
    return fail(Errc::invalid_argument, "a receiver goes with all, not with ids");
  if (request.ids_size() > kMostIds) return fail(Errc::limit, "at most {} ids at a time, or all", kMostIds);
  return alerts::LetterChoice{{request.ids().begin(), request.ids().end()}, request.receiver()};
}

/// As the audit log names them.
std::string object_of(const alerts::LetterChoice& choice) {
  if (choice.ids.empty()) return choice.receiver.empty() ? "all" : "all to " + choice.receiver;
  return fmt::format("{}", fmt::join(choice.ids, " "));
}

/// Nobody of that name, though what was given up may be to a receiver that is gone.
Result<void> know_receiver(const alerts::LetterChoice& choice, const FleetSources& sources) {
  if (choice.receiver.empty()) return {};
  std::vector<std::string> names;
  const auto note = [&names](const std::string& endpoint) {
    names.push_back(endpoint);
    names.push_back(endpoint.substr(0, endpoint.rfind('/')));
  };
  for (const notify::ReceiverStats& stats : sources.receivers()) note(stats.receiver);
  const auto dead = alerts::dead_letters(sources.alerts, 0);
  if (!dead) return dead.error();
  std::ranges::for_each(dead->receivers, note);
  if (std::ranges::find(names, choice.receiver) != names.end()) return {};
  const std::string_view meant = suggest(choice.receiver, names);
  return fail(Errc::not_found, "there is no receiver {}{}", choice.receiver,
              meant.empty() ? "; `vigil receivers` lists them" : fmt::format("; did you mean {}?", meant));
}

/// Which messages are to be changed, once it is known that the change can be logged.
template <class Request>
Result<alerts::LetterChoice> choose(const Request& request, const FleetSources& sources) {
  auto choice = choice_of(request);
  if (!choice) return choice;
  if (auto known = know_receiver(*choice, sources); !known) return known.error();
  if (auto ready = sources.log.ready(); !ready) return ready.error();
  return choice;
}

/// What silences may hold for now.
SilenceGround silence_ground(const FleetSources& sources) {
  SilenceGround ground{sources.alerts.rules(), sources.alerts.alerts(), {}, {}, {}};
  FleetView& view = sources.engine.view();
  if (const auto hosts = view.hosts()) {
    for (const HostInfo& host : *hosts) ground.hosts.push_back(host.name);
  }
  ground.is_on_series = [&view](const matchers::Matcher& matcher) {
    const auto found = view.series({{matcher}});
    return !found || !found->empty();
  };
  ground.label_names = [&view] {
    auto names = view.label_names({});
    return names ? std::move(*names) : std::vector<std::string>();
  };
  return ground;
}

}  // namespace

grpc::ServerUnaryReactor* FleetService::ListHosts(grpc::CallbackServerContext* context,
                                                  const v1::ListHostsRequest* request,
                                                  v1::ListHostsResponse* response) {
  return answer(
      sources_.engine, context, [this, request, response](const QueryEngine::Cancelled&) -> Result<void> {
        const auto hosts = sources_.engine.view().hosts();
        if (!hosts) return hosts.error();
        for (const HostInfo& host : *hosts) {
          // What vigil computes itself is nobody's machine: only who asks for it by name sees it.
          const bool listed =
              request->name().empty() ? kind_of(host.name) != HostKind::rules : request->name() == host.name;
          if (listed) put_host(host, *response->add_hosts());
        }
        return add_host_figures(sources_.engine, sources_.now_ms(), *response);
      });
}

grpc::ServerUnaryReactor* FleetService::ListContainers(grpc::CallbackServerContext* context,
                                                       const v1::ListContainersRequest* request,
                                                       v1::ListContainersResponse* response) {
  return answer(sources_.engine, context, [this, request, response](const QueryEngine::Cancelled&) {
    return list_containers(sources_.engine, sources_.now_ms(), request->host(), *response);
  });
}

grpc::ServerUnaryReactor* FleetService::ListAlerts(grpc::CallbackServerContext* context,
                                                   const v1::ListAlertsRequest* request,
                                                   v1::ListAlertsResponse* response) {
  return answer(sources_.engine, context,
                [this, request, response](const QueryEngine::Cancelled&) -> Result<void> {
                  const auto all = sources_.alerts.alerts();
                  const Unheard unheard = all.empty() ? Unheard() : unheard_by(sources_);
                  for (const auto& alert : all) {
                    if (!request->firing_only() || alert.state == alerts::State::firing)
                      put_alert(alert, unheard, *response->add_alerts());
                  }
                  return {};
                });
}

grpc::ServerUnaryReactor* FleetService::ListRules(grpc::CallbackServerContext* context,
                                                  const v1::ListRulesRequest*,
                                                  v1::ListRulesResponse* response) {
  return answer(sources_.engine, context, [this, response](const QueryEngine::Cancelled&) -> Result<void> {
    for (const auto& rule : sources_.alerts.rules()) put_rule(rule, *response->add_rules());
    return {};
  });
}

grpc::ServerUnaryReactor* FleetService::ListGaps(grpc::CallbackServerContext* context,
                                                 const v1::ListGapsRequest* request,
                                                 v1::ListGapsResponse* response) {
  return answer(sources_.engine, context,
                [this, request, response](const QueryEngine::Cancelled& cancelled) -> Result<void> {
                  const std::int64_t end_ms =
                      request->end_ms() == 0 ? std::numeric_limits<std::int64_t>::max() : request->end_ms();
                  const auto gaps = sources_.engine.view().gaps(
                      {request->host(), request->start_ms(), end_ms, sources_.now_ms(), cancelled});
                  if (!gaps) return gaps.error();
                  response->set_truncated(gaps->truncated);
                  response->set_looked_from_ms(gaps->looked_from_ms);
                  response->set_collectors_left_out(gaps->collectors_left_out);
                  for (const HostGap& gap : gaps->gaps) {
                    v1::HostGap& out = *response->add_gaps();
                    out.set_host(gap.host);
                    out.set_first_ms(gap.first_ms);
                    out.set_last_ms(gap.last_ms);
                    out.set_reason(gap.reason);
                    out.set_collector(gap.collector);
                  }
                  return {};
                });
}

grpc::ServerUnaryReactor* FleetService::ForgetHost(grpc::CallbackServerContext* context,
                                                   const v1::ForgetHostRequest* request,
                                                   v1::ForgetHostResponse* response) {
  return answer(
      sources_.engine, context,
      [this, context, request, response](const QueryEngine::Cancelled&) -> Result<void> {
        if (auto ready = sources_.log.ready(); !ready) return ready;
        const auto series = sources_.engine.view().forget(request->name());
        if (!series) return series.error();
        response->set_series(*series);
        return sources_.log.note(*context, {"host.forget", request->name(), access::json_of(*response), ""});
      });
}

grpc::ServerUnaryReactor* FleetService::ExplainAlert(grpc::CallbackServerContext* context,
                                                     const v1::ExplainAlertRequest* request,
                                                     v1::ExplainAlertResponse* response) {
  return answer(sources_.engine, context,
                [this, request, response](const QueryEngine::Cancelled& cancelled) -> Result<void> {
                  return Explainer(sources_, cancelled).explain(*request, *response);
                });
}

grpc::ServerUnaryReactor* FleetService::AcknowledgeAlert(grpc::CallbackServerContext* context,
                                                         const v1::AcknowledgeAlertRequest* request,
                                                         v1::AcknowledgeAlertResponse* response) {
  const auto work = [this, context, request, response](const QueryEngine::Cancelled&) -> Result<void> {
    constexpr std::size_t kMostBytes = 1024;
    if (request->author().size() > kMostBytes || request->comment().size() > kMostBytes)
      return fail(Errc::limit, "author and comment may have {} bytes each", kMostBytes);
    if (auto ready = sources_.log.ready(); !ready) return ready;
    auto done =
        alerts::acknowledge(sources_.alerts, request->id(), {request->author(), request->comment(), 0});
    if (!done) return done;
    for (const auto& alert : sources_.alerts.alerts()) {
      if (alert.state != alerts::State::firing || !alert.fingerprint.starts_with(request->id())) continue;
      put_alert(alert, unheard_by(sources_), *response->mutable_alert());
      break;
    }
    return sources_.log.note(*context, {"alert.acknowledge", request->id(), "", access::json_of(*request)});
  };
  return answer(sources_.engine, context, work);
}

grpc::ServerUnaryReactor* FleetService::ListReceivers(grpc::CallbackServerContext* context,
                                                      const v1::ListReceiversRequest*,
                                                      v1::ListReceiversResponse* response) {
  return answer(sources_.engine, context, [this, response](const QueryEngine::Cancelled&) -> Result<void> {
    for (const notify::ReceiverStats& stats : sources_.receivers())
      put_channel(stats, *response->add_channels());
    return {};
  });
}

grpc::ServerUnaryReactor* FleetService::ListRoutes(grpc::CallbackServerContext* context,
                                                   const v1::ListRoutesRequest*,
                                                   v1::ListRoutesResponse* response) {
  return answer(sources_.engine, context, [this, response](const QueryEngine::Cancelled&) -> Result<void> {
    if (const alerts::RoutingPtr routing = sources_.alerts.routing())
      put_routes(routing->configuration, routing->channels, sources_.now_ms(), *response);
    return {};
  });
}

grpc::ServerUnaryReactor* FleetService::TestReceiver(grpc::CallbackServerContext* context,
                                                     const v1::TestReceiverRequest* request,
                                                     v1::TestReceiverResponse* response) {
  return answer(sources_.engine, context,
                [this, context, request, response](const QueryEngine::Cancelled& cancelled) -> Result<void> {
                  if (auto ready = sources_.log.ready(); !ready) return ready;
                  const auto answers = sources_.test_receiver(request->name(), cancelled);
                  if (!answers) return answers.error();
                  for (const notify::TestAnswer& each : *answers) {
                    v1::ChannelAnswer& out = *response->add_channels();
                    out.set_channel(each.channel);
                    out.set_kind(each.kind);
                    out.set_error(each.error);
                    out.set_took_ms(each.took_ms);
                  }
                  return sources_.log.note(*context, {"receiver.test", request->name(), "", ""});
                });
}

grpc::ServerUnaryReactor* FleetService::ListDeadMessages(grpc::CallbackServerContext* context,
                                                         const v1::ListDeadMessagesRequest*,
                                                         v1::ListDeadMessagesResponse* response) {
  return answer(sources_.engine, context, [this, response](const QueryEngine::Cancelled&) -> Result<void> {
    const auto dead = alerts::dead_letters(sources_.alerts);
    if (!dead) return dead.error();
    for (const alerts::DeadLetter& letter : dead->letters) put_dead_letter(letter, *response->add_messages());
    response->set_left_out(dead->left_out);
    return {};
  });
}

grpc::ServerUnaryReactor* FleetService::ResendMessages(grpc::CallbackServerContext* context,
                                                       const v1::ResendMessagesRequest* request,
                                                       v1::ResendMessagesResponse* response) {
  return answer(sources_.engine, context,
                [this, context, request, response](const QueryEngine::Cancelled&) -> Result<void> {
                  const auto choice = choose(*request, sources_);
                  if (!choice) return choice.error();
                  const auto resent = alerts::resend(sources_.alerts, *choice);
                  if (!resent) return resent.error();
                  response->set_sent(resent->sent);
                  response->set_outdated(resent->outdated);
                  response->set_unknown(resent->unknown);
                  response->set_unreadable(resent->unreadable);
                  return sources_.log.note(*context, {"messages.resend", object_of(*choice),
                                                      access::json_of(*request), access::json_of(*response)});
                });
}

grpc::ServerUnaryReactor* FleetService::DropMessages(grpc::CallbackServerContext* context,
                                                     const v1::DropMessagesRequest* request,
                                                     v1::DropMessagesResponse* response) {
  return answer(sources_.engine, context,
                [this, context, request, response](const QueryEngine::Cancelled&) -> Result<void> {
                  const auto choice = choose(*request, sources_);
                  if (!choice) return choice.error();
                  const auto dropped = alerts::drop(sources_.alerts, *choice);
                  if (!dropped) return dropped.error();
                  response->set_dropped(*dropped);
                  return sources_.log.note(*context, {"messages.drop", object_of(*choice),
                                                      access::json_of(*request), access::json_of(*response)});
                });
}

grpc::ServerUnaryReactor* FleetService::ListSilences(grpc::CallbackServerContext* context,
                                                     const v1::ListSilencesRequest* request,
                                                     v1::ListSilencesResponse* response) {
  return answer(sources_.engine, context,
                [this, request, response](const QueryEngine::Cancelled&) -> Result<void> {
                  const std::int64_t now = sources_.now_ms();
                  const auto book = sources_.alerts.silences();
                  for (const silences::Silence* silence : book->listed(now)) {
                    if (request->expired() || silence->state_at(now) != silences::State::expired)
                      put_silence(*silence, now, *response->add_silences());
                  }
                  return {};
                });
}

void FleetService::put_known_silence(const std::string& id, v1::Silence& out) const {
  const auto book = sources_.alerts.silences();
  if (const silences::Silence* silence = book->find(id)) put_silence(*silence, sources_.now_ms(), out);
}

grpc::ServerUnaryReactor* FleetService::PutSilence(grpc::CallbackServerContext* context,
                                                   const v1::PutSilenceRequest* request,
                                                   v1::PutSilenceResponse* response) {
  return answer(
      sources_.engine, context,
      [this, context, request, response](const QueryEngine::Cancelled&) -> Result<void> {
        auto silence = silence_from(request->silence(), sources_.now_ms());
        if (!silence) return silence.error();
        if (auto ready = sources_.log.ready(); !ready) return ready;
        const std::string_view what = silence->maintenance ? "maintenance.set" : "silence.set";
        const std::string before = logged_silence(sources_.alerts, silence->id);
        const matchers::Matchers matchers = silence->matchers;
        auto id = alerts::put_silence(sources_.alerts, std::move(*silence));
        if (!id) return id.error();
        response->set_id(*id);
        put_known_silence(*id, *response->mutable_silence());
        for (std::string& doubt : doubts_of(matchers, silence_ground(sources_)))
          response->add_warnings(std::move(doubt));
        return sources_.log.note(*context, {what, *id, before, logged_silence(sources_.alerts, *id)});
      });
}

grpc::ServerUnaryReactor* FleetService::ExpireSilence(grpc::CallbackServerContext* context,
                                                      const v1::ExpireSilenceRequest* request,
                                                      v1::ExpireSilenceResponse* response) {
  const auto work = [this, context, request, response](const QueryEngine::Cancelled&) -> Result<void> {
    if (auto ready = sources_.log.ready(); !ready) return ready;
    const std::string before = logged_silence(sources_.alerts, request->id());
    if (auto done = alerts::expire_silence(sources_.alerts, request->id()); !done) return done;
    put_known_silence(request->id(), *response->mutable_silence());
    const std::string_view what =
        response->silence().has_maintenance() ? "maintenance.end" : "silence.expire";
    return sources_.log.note(*context,
                             {what, request->id(), before, logged_silence(sources_.alerts, request->id())});
  };
  return answer(sources_.engine, context, work);
}

grpc::ServerUnaryReactor* FleetService::Reload(grpc::CallbackServerContext* context, const v1::ReloadRequest*,
                                               v1::ReloadResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  sources_.reload([this, context, reactor, response](const Result<ReloadReport>& done) {
    const auto noted = sources_.log.note(*context, change_of(done));
    if (!noted) return reactor->Finish(to_grpc(noted.error()));
    if (done) {
      for (const std::string& what : done->changed) response->add_changed(what);
      for (const std::string& key : done->needs_restart) response->add_needs_restart(key);
      for (const std::string& warning : done->warnings) response->add_warnings(warning);
    } else if (done.error().code == Errc::unavailable) {
      return reactor->Finish(to_grpc(done.error()));
    } else {
      for_each_line(done.error().message,
                    [response](std::string_view line) { response->add_errors(well_formed(line)); });
    }
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

grpc::ServerUnaryReactor* FleetService::GetStatus(grpc::CallbackServerContext* context,
                                                  const v1::GetStatusRequest*, v1::Status* response) {
  return answer(sources_.engine, context, [this, response](const QueryEngine::Cancelled&) -> Result<void> {
    const auto hosts = sources_.engine.view().hosts();
    if (!hosts) return hosts.error();
    response->set_now_ms(sources_.now_ms());
    count_hosts(*hosts, *response);
    const alerts::Counters counters = sources_.alerts.counters();
    response->set_alerts_firing(counters.firing);
    response->set_alerts_pending(counters.pending);
    sources_.describe_process(*response);
    return {};
  });
}

}  // namespace vigil::aggregator
