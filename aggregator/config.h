// The aggregator's configuration: every key with its default. Without a file it listens on loopback and keeps
// its data beside it.
#pragma once

#include "aggregator/access/config.h"
#include "aggregator/alerts/alerting.h"
#include "aggregator/door/roster.h"
#include "aggregator/identity/authority.h"
#include "aggregator/notify/config.h"
#include "aggregator/remote_write/config.h"
#include "aggregator/rules/config.h"
#include "common/config/fields.h"
#include "common/error.h"
#include "common/log/log.h"
#include "common/text/address.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace vigil::aggregator {

struct TlsConfig {
  std::string cert;  // paths of PEM files; both empty: plain text
  std::string key;
  std::string client_ca;   // who signs the certificates of those who connect; empty: none is asked for
  bool plaintext = false;  // plain text beyond this machine is meant so
};
void describe(config::Fields& fields, TlsConfig& tls);

struct IdentityConfig {
  identity::Lives lives;
};
void describe(config::Fields& fields, IdentityConfig& identity);

struct IngestConfig {
  std::uint32_t max_agents = 12'000;
  std::uint32_t max_hosts = 25'000;
  std::uint32_t max_new_hosts = 600;
  std::uint32_t max_series = 20'000;
  std::uint32_t max_known_series = 1'000'000;
  std::uint32_t max_total_series = 10'000'000;
  config::Bytes max_rate{1 << 20};
  std::chrono::milliseconds down_after{15'000};
  std::uint32_t shards = 0;  // 0: by the number of CPUs
};
void describe(config::Fields& fields, IngestConfig& ingest);

struct TierConfig {
  std::chrono::milliseconds retention{};
  config::Bytes max_size{0};
};
void describe(config::Fields& fields, TierConfig& tier);

struct StoreConfig {
  std::chrono::milliseconds commit_interval{250};
  TierConfig raw{.retention = std::chrono::hours(24 * 30)};
  TierConfig minute{.retention = std::chrono::hours(24 * 400)};
  TierConfig hour{.retention = std::chrono::hours(24 * 3650)};
  std::chrono::milliseconds brief{3'600'000};
  std::chrono::milliseconds slot{120'000};
  std::chrono::milliseconds window{600'000};
};
void describe(config::Fields& fields, StoreConfig& store);

struct QueryConfig {
  std::uint32_t threads = 2;
  std::chrono::milliseconds timeout{30'000};
  std::int64_t max_samples = 50'000'000;
  std::int64_t max_steps = 11'000;
  std::uint32_t max_waiting = 64;
  config::Bytes max_expression{64 << 10};
  config::Bytes max_regex{32 << 10};
};
void describe(config::Fields& fields, QueryConfig& query);

/// What a port takes of those who connect.
struct PortLimits {
  std::uint32_t max_per_source;
  std::uint32_t new_per_source = 50;
  std::uint32_t new_in_all = 500;
};

struct GrpcConfig {
  PortLimits limits{1024};
};
void describe(config::Fields& fields, GrpcConfig& grpc);

enum class HttpTls : std::uint8_t { automatic, on, off };

struct HttpConfig {
  HttpTls tls = HttpTls::automatic;
  std::uint32_t max_connections = 256;
  PortLimits limits{128};
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds idle_timeout{60'000};
  config::Bytes min_rate{16 << 10};
  std::string cors_origin;
};
void describe(config::Fields& fields, HttpConfig& http);

struct AggregatorConfig {
  std::string data_dir;  // "": $STATE_DIRECTORY, or ./vigil-data
  std::string grpc_listen = kGrpcAddress;
  std::string http_listen = kHttpAddress;
  std::string external_url;
  GrpcConfig grpc;
  HttpConfig http;
  TlsConfig tls;
  IdentityConfig identity;
  access::AccessConfig access;
  IngestConfig ingest;
  StoreConfig store;
  QueryConfig query;
  remote_write::RemoteWriteConfig remote_write;
  rules::RulesConfig rules;
  notify::NotificationsConfig notifications;
  std::vector<actions::ActionConfig> actions;
  log::Level log_level = log::Level::info;
  config::Place at;  // for messages; flags are noted in it
};
void describe(config::Fields& fields, AggregatorConfig& config);

/// What no single key can tell: addresses, TLS files, the data folder, rule files, receivers. All errors at
/// once, one a line, as "file:line:column: key: ..."; otherwise the warnings, of what is accepted without
/// effect.
Result<std::vector<std::string>> check(const AggregatorConfig& config);

std::string data_directory(const AggregatorConfig& config);
/// Whether the gRPC port uses certificates of the aggregator's own authority: it was set up, and no others
/// are configured.
bool uses_own_authority(const AggregatorConfig& config);
/// Whether the HTTP port speaks TLS; `has_certificate`: of tls.cert, or of the own authority.
bool http_speaks_tls(const AggregatorConfig& config, bool has_certificate);
/// `most`: connections there is room for.
door::Limits door_limits(const PortLimits& limits, std::size_t most);
std::string access_path(const AggregatorConfig& config);
alerts::AlertingOptions alerting_options(const AggregatorConfig& config);

}  // namespace vigil::aggregator
