#include "aggregator/aggregator.h"

#include "aggregator/action_answers.h"
#include "aggregator/alerts/meta_store.h"
#include "aggregator/alerts/silencing.h"
#include "aggregator/ingest/recovery.h"
#include "aggregator/parts.h"
#include "aggregator/ports.h"
#include "aggregator/second_signal.h"
#include "aggregator/serve/alert_page.h"
#include "common/clock.h"
#include "common/grpc/runtime.h"
#include "common/open_files.h"
#include "common/systemd_notify.h"
#include "common/text/human.h"
#include "common/version.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

namespace vigil::aggregator {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kRulePoints = 5'000'000;     // of one fleet rule, or of one query for evidence
constexpr std::size_t kReplayPoints = 20'000'000;  // of one rule and part of a replay
constexpr milliseconds kReplayPatience{30'000};
constexpr milliseconds kRulePatience{5000};      // for shards, of all fleet rules of an interval
constexpr milliseconds kEvidencePatience{2000};  // the same, of all queries for one alert

/// Agents that fit into the process's limit of open files, which is raised as far as it may be.
Room make_room(std::uint32_t max_agents, std::uint32_t http_connections) {
  const std::uint64_t descriptors = raise_open_file_limit();
  const Room room = room_for(descriptors, {max_agents, http_connections});
  if (room.agents < max_agents) {
    log::warn("aggregator",
              "not enough open files for ingest.max_agents, fewer are taken: raise LimitNOFILE= or ulimit -n",
              {{"open_files", descriptors}, {"max_agents", max_agents}, {"taken", room.agents}});
  }
  return room;
}

Result<void> note_reload(access::Audit& audit, const access::Actor& who, const Result<ReloadReport>& report) {
  return audit.note(who, change_of(report));
}

/// The system's, as agents call themselves.
std::string own_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name.front() == '\0') return "localhost";
  return name.data();
}

}  // namespace

Aggregator::Aggregator(const Invocation& invocation)
    : invocation_(invocation),
      config_(invocation_.config),
      config_in_force_(config_),
      reload_state_(shown_config(invocation_), wall_ms()),
      counters_(registry_),
      grpc_tally_("grpc", registry_),
      http_tally_("http", registry_),
      reopened_(registry_.counter("vigil_aggregator_port_reopened_total",
                                  "Times the gRPC port was opened anew: it had stopped accepting.")),
      reload_metrics_(registry_, wall_ms()) {}

Aggregator::~Aggregator() {
  stop();
}

Result<std::unique_ptr<Aggregator>> Aggregator::create(const Invocation& invocation) {
  prepare_grpc();
  std::unique_ptr<Aggregator> made(new Aggregator(invocation));
  if (auto opened = made->open_history(); !opened) return opened.error();
  if (auto opened = made->open_admission(); !opened) return opened.error();
  if (auto opened = made->open_alerting(); !opened) return opened.error();
  made->start_shards();
  if (auto listening = made->listen(); !listening) return listening.error();
  return made;
}

/// As hosts elsewhere may reach the gRPC port, as far as this one can know.
std::string Aggregator::reachable_address() const {
  Address address = parse_address(config_.grpc_listen, kGrpcPort).value();  // checked before
  address.port = grpc_port_;
  const bool is_any = address.host.empty() || address.host == "0.0.0.0" || address.host == "::";
  if (const auto* authority = admission_->authority(); is_any && authority != nullptr) {
    address.host = identity::host_to_tell(authority->server_names(), identity::own_hosts(), own_name());
  } else if (is_any) {
    address.host = own_name();
  }
  return address.to_string();
}

Result<void> Aggregator::open_history() {
  // A start that is refused changes nothing, and the history brings its files to today's formats.
  if (auto known = alerts::MetaStore::refuse_unknown(alerting_options(config_).meta_path); !known)
    return known;
  auto history = History::open(history_options(config_));
  if (!history) return history.error();
  history_ = std::move(*history);
  shards_ = std::make_unique<ShardSet>(shard_count(config_.ingest), shard_options(config_), history_.get());
  ServiceOptions service;
  service.intake.bytes_per_second = config_.ingest.max_rate.count;
  service.intake.on_answer = [this](const std::string& host, const v1::ActionResult& result) {
    alerting_->action_answered(host, result.id(), outcome_of(result));
  };
  room_ = make_room(config_.ingest.max_agents, config_.http.max_connections);
  service.max_streams = room_.agents;
  service.now_ms = wall_ms;
  service.may_speak = [this](const std::string& certificate, const std::string& host) {
    return admission_->may_speak(certificate, host);
  };
  ingest_ = std::make_unique<IngestService>(*shards_, counters_, std::move(service));
  local_ = std::make_unique<LocalService>(*shards_, wall_ms, &counters_);
  load_meter_ = std::make_unique<LoadMeter>(*shards_, *history_);

  const auto began = std::chrono::steady_clock::now();
  const auto recovered = recover(*history_, *shards_, wall_ms());
  if (!recovered) return recovered.error();
  const auto runs = history_->runs();
  if (!runs) return runs.error();
  ran_before_ = !runs->empty();
  history_->start({[this](std::span<const DurableBatch> batches) {
                     ingest_->durable(batches);
                     local_->durable(batches);
                   },
                   [this](const Error&) { failed_ = true; }});
  // What recovery gave up goes before anything new comes. A full disk says so by itself.
  if (recovered->given_up_streams > 0) (void)history_->sync();
  if (auto loaded = load_window(*history_, *shards_, wall_ms()); !loaded) return loaded.error();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  log::info("store", "history opened",
            {{"folder", data_directory(config_)},
             {"hosts", recovered->hosts},
             {"replayed_rows", recovered->rows},
             {"seconds", took.count()}});
  return {};
}

Result<void> Aggregator::open_admission() {
  auto admission = Admission::open(config_, registry_);
  if (!admission) return admission.error();
  admission_ = std::move(*admission);
  if (auto* authority = admission_->authority())
    authority->on_revoked([this](const std::vector<std::string>& serials) { ingest_->revoked(serials); });
  return {};
}

Result<void> Aggregator::open_alerting() {
  view_ = std::make_unique<FleetView>(*shards_, history_.get());
  const auto reader = [this](milliseconds patience, std::atomic<std::uint64_t>& missed) {
    return [this, reads = FleetReads{kRulePoints, patience, &missed, LateRows::hidden}] {
      return std::make_unique<FleetStorage>(*view_, reads);
    };
  };
  rule_records_ = std::make_unique<RuleRecords>(*local_, registry_);
  alerts::AlertingOptions options = alerting_options(config_);
  options.ran_before = ran_before_;
  auto opened = alerts::Alerting::open(
      options, {reader(kRulePatience, late_for_rules_), reader(kEvidencePatience, late_for_evidence_)},
      [this](const rules::RecordedBatch& batch) { rule_records_->take(batch); });
  if (!opened) return opened.error();
  alerting_ = std::move(*opened);
  alerting_->set_ask_agent(
      [this](const actions::AgentOrder& order, std::function<void(const std::string&)> refused) {
        v1::ActionRequest request;
        request.set_id(order.run);
        request.set_name(order.name);
        request.set_valid_for_ms(static_cast<std::uint32_t>(order.valid_for.count()));
        ingest_->request(order.host, std::move(request), std::move(refused));
      });
  for (const std::string& warning : alerting_->warnings()) log::warn("alerts", warning);
  return {};
}

void Aggregator::start_shards() {
  for (std::size_t i = 0; i < shards_->size(); ++i) {
    Shard& shard = shards_->at(i);
    const auto rules = std::make_shared<rules::HostRules>(alerting_->make_host_rules());
    shard.set_hook([rules](HostId host, const std::string& instance, std::int64_t t_ms,
                           promql::Storage& storage, Occasion occasion, Covered covered) {
      rules->on_host_tick(host, instance, t_ms, storage, occasion, covered);
    });
    shard.on_forgotten([this, rules](HostId host, const std::string& instance) {
      rules->forget(host);
      alerting_->forget_host(instance);
    });
    shard.on_left_for_good([this](const std::string& instance) { alerting_->forget_host(instance); });
    shard.worker().every(milliseconds(1000), [&shard] { shard.tick(wall_ms()); });
    shard.worker().every(milliseconds(100), [&intake = ingest_->intake(i)] { intake.resume(wall_ms()); });
    shard.worker().start();
  }
  running_ = true;
  alerting_->start();
}

Result<void> Aggregator::listen() {
  const auto http_address = parse_address(config_.http_listen, kHttpPort);
  if (!http_address) return http_address.error();
  const auto grpc_address = parse_address(config_.grpc_listen, kGrpcPort);
  if (!grpc_address) return grpc_address.error();

  const QueryLimits limits = query_limits(config_.query);
  engine_ = std::make_unique<QueryEngine>(*view_, limits);
  open_tails(limits.threads);
  if (auto opened = open_self_watch(); !opened) return opened;
  if (auto started = admission_->start(); !started) return started;
  make_services();
  if (auto opened = open_http(*http_address); !opened) return opened;
  if (auto opened = open_grpc(*grpc_address); !opened) return opened;
  http_->run();
  return {};
}

/// What the aggregator knows of itself: threads that do not get on, its status and metrics, and the heartbeat
/// that tells the outside.
Result<void> Aggregator::open_self_watch() {
  watch();
  auto heartbeat =
      notify::Heartbeat::create(config_.notifications.heartbeat, config_.notifications.timeout, [this] {
        const auto complaints = watchdog_.complaints(std::chrono::steady_clock::now());
        return complaints.empty() ? std::string() : complaints.front();
      });
  if (!heartbeat) return heartbeat.error();
  heartbeat_ = std::move(*heartbeat);
  status_ = std::make_unique<StatusReporter>(
      StatusSources{counters_, *history_, *shards_, *alerting_, *ingest_, watchdog_, heartbeat_.get(),
                    std::filesystem::absolute(data_directory(config_)).string(), wall_ms()});
  status_->add_metrics(registry_);
  add_certificate_metrics(registry_, config_.tls);
  own_metrics_ = std::make_unique<OwnMetrics>(registry_, *local_, own_name());
  return {};
}

/// What gRPC offers, beside the agents' streams.
void Aggregator::make_services() {
  const access::CallLog& call_log = admission_->call_log();
  query_service_ = std::make_unique<QueryService>(*engine_, *tails_, wall_ms);
  fleet_service_ = std::make_unique<FleetService>(
      FleetSources{*engine_, alerting_->service(), wall_ms,
                   [this](v1::Status& status) {
                     status_->describe(status);
                     reload_state_.describe(status);
                     if (const std::string trouble = admission_->provider_trouble(); !trouble.empty())
                       status.add_problems("access.oidc: the provider cannot be asked: " + trouble);
                   },
                   [this] { return alerting_->receivers(); },
                   [this](const std::string& receiver, const std::function<bool()>& is_cancelled) {
                     return alerting_->test_receiver(receiver, is_cancelled);
                   },
                   call_log, [this](ReloadRequests::Done done) { reload_requests_.ask(std::move(done)); }});
  actions_service_ = std::make_unique<ActionsService>(*engine_, alerting_->service(), call_log);
  access_service_ = std::make_unique<AccessService>(AccessSources{
      *engine_, admission_->accounts(), admission_->audit(), call_log, wall_ms, admission_->authority()});
  store_service_ =
      std::make_unique<StoreService>(StoreSources{*engine_,
                                                  *history_,
                                                  {"meta.db", access::kAccessFile},
                                                  wall_ms,
                                                  [this] { return status_->samples_per_second(); },
                                                  [this] { return status_->agent_samples_per_second(); },
                                                  call_log,
                                                  admission_->authority_copier()});

  rules_service_ = std::make_unique<RulesService>(RulesSources{
      [this] { return alerting_->rule_set(); },
      [this]() -> std::unique_ptr<promql::Storage> {
        return std::make_unique<FleetStorage>(*view_, FleetReads{kReplayPoints, kReplayPatience});
      },
      wall_ms, config_.rules.interval});

  identity_service_ = std::make_unique<IdentityService>(IdentitySources{
      *engine_, admission_->authority(), [this] { return reachable_address(); }, call_log,
      [this](const std::string& name) { return admission_->accounts().find_user(name).has_value(); }, wall_ms,
      [this](const std::string& certificate, const std::string& host) {
        return admission_->may_speak(certificate, host);
      }});
}

Result<void> Aggregator::open_http(const Address& address) {
  router_.add("GET", "/", access::kViewer, [](const http::Request&) {
    return http::Response{302, "text/plain; charset=utf-8", "see /alerts/\n", {{"Location", "/alerts/"}}};
  });
  router_.add("GET", "/alerts/", access::kViewer, [this](const http::Request& request) {
    return alert_page(request.path, alerting_->alerts(), wall_ms());
  });
  http::add_status_routes(router_, registry_, [this] { return not_ready(); });
  auto cors = http::Cors::create(config_.http.cors_origin);
  if (!cors) return cors.error();
  receiver_ = std::make_unique<remote_write::Receiver>(config_.remote_write, *local_, registry_, wall_ms);
  if (config_.remote_write.enabled) receiver_->add_route(router_);
  receiver_->start();
  watchdog_.watch(receiver_->worker());
  api_ = std::make_unique<api::Api>(api_sources());
  api_->add_routes(router_);
  request_counts_ = std::make_unique<http::RequestCounts>(registry_);
  http::ServerOptions http_options = http_server_options(config_, address, admission_->authority());
  http_options.cors = std::move(*cors);
  http_options.counts = request_counts_.get();
  http_options.gatekeeper = &admission_->gatekeeper();
  http_options.limits = door_limits(config_.http.limits, room_.http_connections);
  http_options.tally = &http_tally_;
  auto http = http::Server::listen(http_options, router_);
  if (!http) return http.error();
  http_ = std::move(*http);
  return {};
}

void Aggregator::open_tails(std::size_t query_threads) {
  TailLimits limits;
  limits.running = std::max<std::size_t>(query_threads / 2, 1);
  tails_ = std::make_unique<LiveTails>(*engine_, LiveTails::Clocks{wall_ms}, limits);
  registry_.collect(self::Kind::gauge, "vigil_aggregator_live_tails", "Expressions somebody watches.",
                    [this] { return static_cast<double>(tails_->size()); });
  tail_timer_.every(milliseconds(100), [this] { tails_->tick(); });
  tail_timer_.start();
}

Result<void> Aggregator::open_grpc(const Address& address) {
  auto options = grpc_server_options(config_, address, admission_->authority());
  if (!options) return options.error();
  options->gatekeeper = &admission_->gatekeeper();
  options->limits = door_limits(config_.grpc.limits, room_.grpc_connections);
  options->tally = &grpc_tally_;
  if (config_.access.socket) options->socket = data_directory(config_) + "/vigil.sock";
  accept_failures_ = grpc_accept_failures();
  auto grpc = GrpcServer::start(
      *options,
      {ingest_.get(), query_service_.get(), fleet_service_.get(), store_service_.get(), rules_service_.get(),
       actions_service_.get(), access_service_.get(), identity_service_.get(), &admission_->login_service()});
  if (!grpc) return grpc.error();
  grpc_ = std::move(*grpc);
  grpc_port_ = grpc_->address().port;
  return {};
}

/// gRPC has given its port up: nobody could connect any more, and nobody would notice. Opened anew it closes
/// all connections, those too that used up the descriptors; agents come back and nothing is lost.
void Aggregator::reopen_grpc() {
  log::error("grpc", "the port accepts no more connections, out of open files? It is opened anew",
             {{"address", grpc_->address().to_string()}});
  const Address address = grpc_->address();
  grpc_->stop(milliseconds(500));
  grpc_.reset();
  reopened_.add();
  if (auto opened = open_grpc(address); !opened)
    return log::error("grpc", "cannot open the port anew", {{"error", opened.error()}});  // run() ends
  grpc_->set_serving(true);
}

std::string Aggregator::not_ready() const {
  if (!ready_) return "starting or stopping";
  const HistoryHealth health = history_->health();
  return health.state == HistoryState::failed ? "the history failed: " + health.message : "";
}

api::ApiSources Aggregator::api_sources() {
  api::ApiSources sources{*engine_, wall_ms};
  sources.alerts = [this] { return alerting_->alerts(); };
  sources.rules = [this] { return alerting_->rules(); };
  sources.silences = [this] { return alerting_->service().silences(); };
  sources.put_silence = [this](silences::Silence silence) {
    return alerts::put_silence(alerting_->service(), std::move(silence));
  };
  sources.expire_silence = [this](std::string id) {
    return alerts::expire_silence(alerting_->service(), std::move(id));
  };
  sources.receivers = [this] {
    std::set<std::string> names;
    for (const auto& receiver : alerting_->receivers()) {
      if (receiver.kind == "gone") continue;
      const std::size_t length = receiver.takes_groups ? receiver.receiver.rfind('/') : std::string::npos;
      names.insert(receiver.receiver.substr(0, length));
    }
    return std::vector<std::string>(names.begin(), names.end());
  };
  sources.history = [this] { return history_->stats(); };
  sources.config = [this] { return reload_state_.shown(); };
  sources.told_metadata = [this](std::string_view metric) -> std::optional<api::ToldMetadata> {
    const auto told = receiver_->metadata().of(metric);
    if (!told) return std::nullopt;
    return api::ToldMetadata{std::string(remote_write::to_string(told->type)), told->help, told->unit};
  };
  sources.reload = [this](const access::Actor& who, const api::Reloaded& done) {
    reload_requests_.ask([this, who, done](const Result<ReloadReport>& report) {
      const auto noted = note_reload(admission_->audit(), who, report);
      done(!report || noted ? report : Result<ReloadReport>(noted.error()));
    });
  };
  sources.audit = &admission_->audit();
  sources.readiness = [this] { return not_ready(); };
  sources.cors = *http::Cors::create(config_.http.cors_origin);  // checked before
  sources.external_labels = [this] { return alerting_->rule_set()->external_labels(); };
  sources.facts.started_ms = wall_ms();
  sources.facts.version = kVersion;
  sources.facts.external_url = alerting_->rule_set()->external_url();
  sources.facts.working_directory = std::filesystem::current_path().string();
  sources.facts.storage_retention = format_duration(config_.store.raw.retention);
  sources.facts.flags = invocation_.flags;
  return sources;
}

void Aggregator::watch() {
  for (std::size_t i = 0; i < shards_->size(); ++i) watchdog_.watch(shards_->at(i).worker());
  for (const Worker* worker : alerting_->workers()) watchdog_.watch(*worker);
  watchdog_.watch(history_->worker());
  watchdog_.watch(tail_timer_);
  for (const auto& [what, count] :
       {std::pair{"rules", &late_for_rules_}, {"evidence", &late_for_evidence_}}) {
    registry_.collect(self::Kind::counter, "vigil_aggregator_late_answers_total",
                      "Questions given up: a shard was too slow.",
                      [counter = count] { return static_cast<double>(counter->load()); }, {{"for", what}});
  }
}

void Aggregator::announce() {
  if (config_.tls.cert.empty() && admission_->authority() == nullptr && !grpc_->address().is_loopback()) {
    log::warn("grpc",
              "LISTENING IN PLAIN TEXT BEYOND THIS MACHINE: anybody on the network can read along and send "
              "samples. Run vigil-aggregator init for this data folder, set tls, or use a tunnel",
              {{"address", grpc_->address().to_string()},
               {"role_of_everybody", access::to_string(config_.access.anonymous)}});
  }
  if (!http_->address().is_loopback() && !http_->is_tls()) {
    log::warn("http", "listening beyond this machine without TLS: tokens and passwords are seen on the way",
              {{"address", http_->address().to_string()}});
  }
  ready_ = true;
  if (heartbeat_) heartbeat_->start();
  grpc_->set_serving(true);
  log::info("aggregator",
            fmt::format("ready grpc={} {}={}", grpc_->address().to_string(),
                        http_->is_tls() ? "https" : "http", http_->address().to_string()),
            {{"version", kVersion}});
  for (const auto& open : open_secrets(invocation_)) log::warn("aggregator", to_string(open));
  systemd_notify("READY=1");
}

Result<void> Aggregator::run() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  announce();
  const timespec second{1, 0};
  while (!failed_ && grpc_) {
    const int number = sigtimedwait(&signals, nullptr, &second);
    if (number == SIGHUP) {
      reload();
    } else if (number > 0) {
      log::info("aggregator", "stopping", {{"signal", number == SIGTERM ? "SIGTERM" : "SIGINT"}});
      break;
    } else {
      beat();
    }
  }
  const bool port_lost = !grpc_;
  stop();
  if (failed_)
    return fail(Errc::io, "the history failed, see above: start again, what was acknowledged is safe");
  if (port_lost) return fail(Errc::io, "the gRPC port could not be opened anew, see above: start again");
  return {};
}

void Aggregator::beat() {
  clock_watch_.beat();
  ingest_->sweep();
  local_->sweep();
  ingest_->pace(load_meter_->measure(wall_ms()), load_meter_->durability());
  status_->beat(wall_ms());
  own_metrics_->beat(wall_ms());
  admission_->beat();
  grpc_->beat(std::chrono::steady_clock::now());
  if (grpc_accept_failures() != accept_failures_) reopen_grpc();
  const bool alive = watchdog_.check(std::chrono::steady_clock::now());
  if (alive && systemd_watchdog_interval()) systemd_notify("WATCHDOG=1");
}

void Aggregator::reload() {
  std::vector<ReloadRequests::Done> asked = reload_requests_.take();
  if (asked.empty()) {
    asked.push_back([this](const Result<ReloadReport>& report) {
      (void)note_reload(admission_->audit(), {access::Caller::Kind::signal, "", ""},
                        report);  // kept until it can be written
    });
  }
  auto config = reread(invocation_);
  if (!config) return reloaded(config.error(), asked);
  const rules::RuleSetPtr before = alerting_->rule_set();
  ReloadReport report = config_in_force_.compare(*config);
  for (const auto& open : open_secrets(invocation_)) report.warnings.push_back(to_string(open));
  const auto adopted = [this, asked, before, report = std::move(report)]() mutable {
    std::ranges::move(rule_changes(*before, *alerting_->rule_set()), std::back_inserter(report.changed));
    std::ranges::move(alerting_->warnings(), std::back_inserter(report.warnings));
    reloaded(std::move(report), asked);
  };
  const Result<void> taken = alerting_->reload(config->rules, config->actions, adopted);
  if (!taken) return reloaded(taken.error(), asked);
  log::set_level(config->log_level);
  config_in_force_.adopt(*config);
  reload_metrics_.taken(config_in_force_.waiting(), wall_ms());
}

/// Any thread.
void Aggregator::reloaded(const Result<ReloadReport>& loaded,
                          const std::vector<ReloadRequests::Done>& asked) {
  if (loaded) {
    log::info("aggregator", "reloaded",
              {{"rules", alerting_->rules().size()},
               {"changed", fmt::format("{}", fmt::join(loaded->changed, "; "))}});
    if (!loaded->needs_restart.empty())
      log::warn("aggregator", "changed in the configuration, but in force only after a restart",
                {{"keys", fmt::format("{}", fmt::join(loaded->needs_restart, ", "))}});
    for (const std::string& warning : loaded->warnings) log::warn("alerts", warning);
    reload_state_.taken(shown_config(invocation_), loaded->needs_restart, wall_ms());
  } else {
    reload_state_.refused(loaded.error().message);
    reload_metrics_.refused();
    log::error("aggregator", "not reloaded, all stays as it was", {{"error", loaded.error()}});
  }
  for (const ReloadRequests::Done& done : asked) done(loaded);
}

void Aggregator::stop() {
  if (!std::exchange(running_, false)) return;
  ready_ = false;
  systemd_notify("STOPPING=1");
  reload_requests_.refuse();
  const SecondSignal second([this](int number) {
    log::warn("aggregator", "a second signal: only the journal is committed", {{"signal", number}});
    (void)history_->sync();  // what fails was not acknowledged
    std::_Exit(128 + number);
  });
  if (grpc_) grpc_->set_serving(false);
  ingest_->stop();
  tail_timer_.stop();
  if (engine_) engine_->refuse();  // gRPC waits for the answers it owes
  if (tails_) tails_->stop();
  admission_->hurry();
  if (grpc_) grpc_->stop(milliseconds(2000));
  if (http_) http_->stop();
  admission_->stop();
  if (access_service_) access_service_->stop();
  if (receiver_) receiver_->stop();
  if (engine_) engine_->stop();
  if (api_) api_->stop();
  if (store_service_) store_service_->stop();
  if (rules_service_) rules_service_->stop();
  if (heartbeat_) heartbeat_->stop();
  alerting_->stop();
  for (std::size_t i = 0; i < shards_->size(); ++i) {
    Shard& shard = shards_->at(i);
    shard.worker().insist([&shard] { shard.seal_all(wall_ms()); });
  }
  for (std::size_t i = 0; i < shards_->size(); ++i) shards_->at(i).worker().stop();
  history_->close();
  admission_->close();
  log::info("aggregator", "stopped");
}

}  // namespace vigil::aggregator
