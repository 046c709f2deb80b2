#include "aggregator/aggregator.h"

#include "aggregator/action_answers.h"
#include "aggregator/alerts/meta_store.h"
#include "aggregator/alerts/silencing.h"
#include "aggregator/ingest/recovery.h"
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

std::size_t shard_count(const IngestConfig& ingest) {
  if (ingest.shards != 0) return ingest.shards;
  return std::clamp<std::size_t>(std::thread::hardware_concurrency() / 2, 1, 8);
}

ShardOptions shard_options(const AggregatorConfig& config) {
  ShardOptions options;
  options.head = {config.store.slot.count(), config.store.window.count()};
  options.down_after_ms = config.ingest.down_after.count();
  options.retention_ms = config.store.raw.retention.count();
  options.max_series = config.ingest.max_series;
  options.max_known_series = config.ingest.max_known_series;
  options.enrol = {config.ingest.max_hosts, config.ingest.max_new_hosts, config.ingest.max_total_series,
                   config.remote_write.max_hosts};
  return options;
}

TierKeep keep_of(const TierConfig& tier) {
  return {std::chrono::duration_cast<std::chrono::hours>(tier.retention), tier.max_size.count};
}

/// Agents that fit into the process's limit of open files, which is raised as far as it may be.
Room make_room(std::uint32_t max_agents) {
  const std::uint64_t descriptors = raise_open_file_limit();
  const Room room = room_for(descriptors, max_agents);
  if (room.agents < max_agents) {
    log::warn("aggregator",
              "not enough open files for ingest.max_agents, fewer are taken: raise LimitNOFILE= or ulimit -n",
              {{"open_files", descriptors}, {"max_agents", max_agents}, {"taken", room.agents}});
  }
  return room;
}

Result<GrpcServerOptions> grpc_options(const AggregatorConfig& config, const Address& listen) {
  GrpcServerOptions options;
  options.listen = listen;
  if (config.tls.cert.empty()) return options;
  auto cert = config::read_certificates(config.tls.cert);
  if (!cert) return cert.error();
  auto key = config::read_private_key(config.tls.key);
  if (!key) return key.error();
  options.tls_cert = std::move(*cert);
  options.tls_key = std::move(*key);
  if (config.tls.client_ca.empty()) return options;
  auto client_ca = config::read_certificates(config.tls.client_ca);
  if (!client_ca) return client_ca.error();
  options.tls_client_ca = std::move(*client_ca);
  return options;
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
      config_state_{shown_config(invocation_), true, wall_ms()},
      counters_(registry_),
      reopened_(registry_.counter("vigil_aggregator_port_reopened_total",
                                  "Times the gRPC port was opened anew: it had stopped accepting.")) {}

Aggregator::~Aggregator() {
  stop();
}

Result<std::unique_ptr<Aggregator>> Aggregator::create(const Invocation& invocation) {
  prepare_grpc();
  std::unique_ptr<Aggregator> made(new Aggregator(invocation));
  if (auto opened = made->open_history(); !opened) return opened.error();
  if (auto opened = made->open_alerting(); !opened) return opened.error();
  made->start_shards();
  if (auto listening = made->listen(); !listening) return listening.error();
  return made;
}

Result<void> Aggregator::open_history() {
  HistoryOptions options;
  options.directory = data_directory(config_);
  options.commit_interval = config_.store.commit_interval;
  options.keep = {keep_of(config_.store.raw), keep_of(config_.store.minute), keep_of(config_.store.hour)};
  options.brief = config_.store.brief;
  // A start that is refused changes nothing, and the history brings its files to today's formats.
  if (auto known = alerts::MetaStore::refuse_unknown(alerting_options(config_).meta_path); !known)
    return known;
  auto history = History::open(std::move(options));
  if (!history) return history.error();
  history_ = std::move(*history);
  shards_ = std::make_unique<ShardSet>(shard_count(config_.ingest), shard_options(config_), history_.get());
  ServiceOptions service;
  service.intake.bytes_per_second = config_.ingest.max_rate.count;
  service.intake.on_answer = [this](const std::string& host, const v1::ActionResult& result) {
    alerting_->action_answered(host, result.id(), outcome_of(result));
  };
  room_ = make_room(config_.ingest.max_agents);
  service.max_streams = room_.agents;
  service.now_ms = wall_ms;
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
    shard.set_hook(
        [rules](HostId host, const std::string& instance, std::int64_t t_ms, promql::Storage& storage,
                Occasion occasion) { rules->on_host_tick(host, instance, t_ms, storage, occasion); });
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

  QueryLimits limits;
  limits.threads = config_.query.threads;
  limits.timeout = config_.query.timeout;
  limits.max_samples = static_cast<std::size_t>(config_.query.max_samples);
  limits.max_steps = config_.query.max_steps;
  limits.waiting = config_.query.max_waiting;
  limits.max_expression_bytes = config_.query.max_expression.count;
  limits.max_regex_bytes = config_.query.max_regex.count;
  engine_ = std::make_unique<QueryEngine>(*view_, limits);
  open_tails(limits.threads);
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
  own_metrics_ = std::make_unique<OwnMetrics>(registry_, *local_, own_name());
  query_service_ = std::make_unique<QueryService>(*engine_, *tails_, wall_ms);
  fleet_service_ = std::make_unique<FleetService>(
      FleetSources{*engine_, alerting_->service(), wall_ms,
                   [this](v1::Status& status) {
                     status_->describe(status);
                     const std::lock_guard lock(reload_mutex_);
                     if (!config_state_.reload_ok)
                       status.add_problems(reload_problem(config_state_.reload_error));
                   },
                   [this] { return alerting_->receivers(); },
                   [this](const std::string& receiver, const std::function<bool()>& is_cancelled) {
                     return alerting_->test_receiver(receiver, is_cancelled);
                   }});
  actions_service_ = std::make_unique<ActionsService>(*engine_, alerting_->service());
  store_service_ =
      std::make_unique<StoreService>(StoreSources{*engine_,
                                                  *history_,
                                                  {"meta.db"},
                                                  wall_ms,
                                                  [this] { return status_->samples_per_second(); },
                                                  [this] { return status_->agent_samples_per_second(); }});

  rules_service_ = std::make_unique<RulesService>(RulesSources{
      [this] { return alerting_->rule_set(); },
      [this]() -> std::unique_ptr<promql::Storage> {
        return std::make_unique<FleetStorage>(*view_, FleetReads{kReplayPoints, kReplayPatience});
      },
      wall_ms, config_.rules.interval});

  router_.add("GET", "/", [](const http::Request&) {
    return http::Response{302, "text/plain; charset=utf-8", "see /alerts/\n", {{"Location", "/alerts/"}}};
  });
  router_.add("GET", "/alerts/", [this](const http::Request& request) {
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
  http::ServerOptions http_options;
  http_options.cors = std::move(*cors);
  http_options.counts = request_counts_.get();
  http_options.listen = *http_address;
  http_options.max_connections = room_.http_connections;
  auto http = http::Server::listen(http_options, router_);
  if (!http) return http.error();
  http_ = std::move(*http);
  if (auto opened = open_grpc(*grpc_address); !opened) return opened;
  http_->run();
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
  const auto options = grpc_options(config_, address);
  if (!options) return options.error();
  accept_failures_ = grpc_accept_failures();
  auto grpc =
      GrpcServer::start(*options, {ingest_.get(), query_service_.get(), fleet_service_.get(),
                                   store_service_.get(), rules_service_.get(), actions_service_.get()});
  if (!grpc) return grpc.error();
  grpc_ = std::move(*grpc);
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
  sources.config = [this] {
    const std::lock_guard lock(reload_mutex_);
    return config_state_;
  };
  sources.told_metadata = [this](std::string_view metric) -> std::optional<api::ToldMetadata> {
    const auto told = receiver_->metadata().of(metric);
    if (!told) return std::nullopt;
    return api::ToldMetadata{std::string(remote_write::to_string(told->type)), told->help, told->unit};
  };
  sources.reload = [this](api::Reloaded done) { ask_reload(std::move(done)); };
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
  if (config_.tls.cert.empty() && !grpc_->address().is_loopback()) {
    log::warn("grpc",
              "LISTENING IN PLAIN TEXT BEYOND THIS MACHINE: anybody on the network can read and send "
              "samples. Set tls, or use a tunnel",
              {{"address", grpc_->address().to_string()}});
  }
  if (!http_->address().is_loopback()) {
    log::warn("http", "listening beyond this machine, without TLS or passwords",
              {{"address", http_->address().to_string()}});
  }
  ready_ = true;
  if (heartbeat_) heartbeat_->start();
  grpc_->set_serving(true);
  log::info("aggregator",
            fmt::format("ready grpc={} http={}", grpc_->address().to_string(), http_->address().to_string()),
            {{"version", kVersion}});
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
  ingest_->sweep();
  local_->sweep();
  ingest_->pace(load_meter_->measure(wall_ms()), load_meter_->durability());
  status_->beat(wall_ms());
  own_metrics_->beat(wall_ms());
  if (grpc_accept_failures() != accept_failures_) reopen_grpc();
  const bool alive = watchdog_.check(std::chrono::steady_clock::now());
  if (alive && systemd_watchdog_interval()) systemd_notify("WATCHDOG=1");
}

/// Any thread. The signal makes run() look.
void Aggregator::ask_reload(api::Reloaded done) {
  {
    const std::lock_guard lock(reload_mutex_);
    reload_asked_.push_back(std::move(done));
  }
  ::kill(::getpid(), SIGHUP);
}

void Aggregator::reload() {
  std::vector<api::Reloaded> asked;
  {
    const std::lock_guard lock(reload_mutex_);
    asked.swap(reload_asked_);
  }
  auto config = reread(invocation_);
  const Result<void> taken = !config ? config.error()
                                     : alerting_->reload(config->rules, std::move(config->actions),
                                                         [this, asked] { reloaded({}, asked); });
  if (!taken) reloaded(taken, asked);
}

/// Any thread.
void Aggregator::reloaded(const Result<void>& loaded, const std::vector<api::Reloaded>& asked) {
  if (loaded) {
    log::info("alerts", "reloaded", {{"rules", alerting_->rules().size()}});
    for (const std::string& warning : alerting_->warnings()) log::warn("alerts", warning);
  } else {
    log::error("alerts", "not reloaded, all stays as it was", {{"error", loaded.error()}});
  }
  {
    const std::lock_guard lock(reload_mutex_);
    config_state_.reload_ok = loaded.has_value();
    config_state_.reload_error = loaded ? "" : loaded.error().message;
    if (loaded) {
      config_state_.yaml = shown_config(invocation_);
      config_state_.loaded_ms = wall_ms();
    }
  }
  for (const api::Reloaded& done : asked) done(loaded);
}

void Aggregator::stop() {
  if (!std::exchange(running_, false)) return;
  ready_ = false;
  systemd_notify("STOPPING=1");
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
  if (grpc_) grpc_->stop(milliseconds(2000));
  if (http_) http_->stop();
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
  log::info("aggregator", "stopped");
}

}  // namespace vigil::aggregator
