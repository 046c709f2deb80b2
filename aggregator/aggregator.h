// The one place that owns everything and knows the order of start and stop.
//
// Start                                   Stop (after SIGTERM or SIGINT)
//   history      open, replay               grpc        refuse new streams, end the present ones, wait 2 s
//   admission    authority, tokens, users   http
//   shards       hosts, heads               admission   nobody is let in any more
//   alerting     rules, alerts, outbox      alerting    no more evaluations, messages out
//   ingest       sessions                   queries     what runs ends
//   queries, services                       shards      seal what is open, all at once, end the threads
//   grpc, http   listen; ready              store       a check or backup under way ends
//                                           history     commit, checkpoint, close
// A second SIGTERM or SIGINT while it stops: commit the journal and leave. What is not on disk was not
// acknowledged.
#pragma once

#include "aggregator/admission.h"
#include "aggregator/api/api.h"
#include "aggregator/clock_watch.h"
#include "aggregator/descriptors.h"
#include "aggregator/door/tally.h"
#include "aggregator/flags.h"
#include "aggregator/http/router.h"
#include "aggregator/http/server.h"
#include "aggregator/ingest/grpc_server.h"
#include "aggregator/ingest/local_service.h"
#include "aggregator/ingest/service.h"
#include "aggregator/load_meter.h"
#include "aggregator/own_metrics.h"
#include "aggregator/reload.h"
#include "aggregator/remote_write/receiver.h"
#include "aggregator/rule_records.h"
#include "aggregator/self/registry.h"
#include "aggregator/serve/access_service.h"
#include "aggregator/serve/actions_service.h"
#include "aggregator/serve/fleet_service.h"
#include "aggregator/serve/identity_service.h"
#include "aggregator/serve/live_tails.h"
#include "aggregator/serve/query_engine.h"
#include "aggregator/serve/query_service.h"
#include "aggregator/serve/rules_service.h"
#include "aggregator/serve/store_service.h"
#include "aggregator/status.h"
#include "aggregator/store/history.h"
#include "aggregator/watchdog.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace vigil::aggregator {

class Aggregator {
 public:
  /// Opens everything and listens. Errors name the folder, file or address.
  static Result<std::unique_ptr<Aggregator>> create(const Invocation& invocation);
  ~Aggregator();

  /// Until SIGTERM or SIGINT (block them in main before any thread begins), or until the history fails.
  /// Errc::io in that case: what is not on disk was not acknowledged, so a new start loses nothing.
  Result<void> run();

  // As bound, and what is there; before run() ends.
  const Address& grpc_address() const { return grpc_->address(); }
  const Address& http_address() const { return http_->address(); }
  const http::Router& router() const { return router_; }

 private:
  explicit Aggregator(const Invocation& invocation);
  std::string reachable_address() const;
  Result<void> open_history();
  Result<void> open_admission();
  Result<void> open_alerting();
  void start_shards();
  Result<void> listen();
  void open_tails(std::size_t query_threads);
  Result<void> open_self_watch();
  void make_services();
  Result<void> open_http(const Address& address);
  Result<void> open_grpc(const Address& address);
  void reopen_grpc();
  void watch();
  void announce();
  void beat();
  void reload();
  void reloaded(const Result<ReloadReport>& loaded, const std::vector<ReloadRequests::Done>& asked);
  api::ApiSources api_sources();
  std::string not_ready() const;
  void stop();

  const Invocation invocation_;
  const AggregatorConfig& config_;
  std::atomic<bool> ready_ = false;
  std::atomic<bool> failed_ = false;
  bool running_ = false;
  bool ran_before_ = false;  // an aggregator, on this data folder
  Room room_;                // connections

  ConfigInForce config_in_force_;
  ReloadRequests reload_requests_;
  ReloadState reload_state_;

  // In order of dependence: what stands later uses what stands earlier.
  self::Registry registry_;
  IngestCounters counters_;
  door::Tally grpc_tally_;
  door::Tally http_tally_;
  std::atomic<std::uint64_t> late_for_rules_ = 0;
  std::atomic<std::uint64_t> late_for_evidence_ = 0;
  self::Counter& reopened_;
  ReloadMetrics reload_metrics_;
  std::uint64_t accept_failures_ = 0;  // before the gRPC port was opened
  ClockWatch clock_watch_;
  std::unique_ptr<Admission> admission_;
  std::unique_ptr<History> history_;
  std::unique_ptr<ShardSet> shards_;
  std::unique_ptr<FleetView> view_;
  std::unique_ptr<RuleRecords> rule_records_;
  std::unique_ptr<alerts::Alerting> alerting_;
  std::unique_ptr<IngestService> ingest_;
  std::unique_ptr<LocalService> local_;  // samples that no agent sends
  std::unique_ptr<LoadMeter> load_meter_;
  std::unique_ptr<QueryEngine> engine_;
  Watchdog watchdog_;
  std::unique_ptr<notify::Heartbeat> heartbeat_;  // null: the configuration has none
  std::unique_ptr<StatusReporter> status_;
  std::unique_ptr<OwnMetrics> own_metrics_;
  std::unique_ptr<LiveTails> tails_;
  Worker tail_timer_{"tails"};
  std::unique_ptr<QueryService> query_service_;
  std::unique_ptr<FleetService> fleet_service_;
  std::unique_ptr<ActionsService> actions_service_;
  std::unique_ptr<StoreService> store_service_;
  std::unique_ptr<AccessService> access_service_;
  std::unique_ptr<RulesService> rules_service_;
  std::unique_ptr<IdentityService> identity_service_;
  std::unique_ptr<http::RequestCounts> request_counts_;
  std::unique_ptr<api::Api> api_;
  http::Router router_;
  std::unique_ptr<remote_write::Receiver> receiver_;
  std::unique_ptr<http::Server> http_;
  std::unique_ptr<GrpcServer> grpc_;
  std::atomic<std::uint16_t> grpc_port_ = 0;  // once it listens
};

}  // namespace vigil::aggregator
