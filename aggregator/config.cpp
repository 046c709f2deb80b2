#include "aggregator/config.h"

#include "aggregator/access/access_file.h"
#include "aggregator/promql/parser.h"
#include "aggregator/store/history.h"
#include "common/delivery/backoff.h"

#include <array>
#include <cstdlib>

namespace vigil::aggregator {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::pair<std::string_view, log::Level>, 4> kLevels = {{{"debug", log::Level::debug},
                                                                             {"info", log::Level::info},
                                                                             {"warn", log::Level::warn},
                                                                             {"error", log::Level::error}}};

constexpr std::array<std::pair<std::string_view, HttpTls>, 3> kHttpTls = {
    {{"auto", HttpTls::automatic}, {"on", HttpTls::on}, {"off", HttpTls::off}}};

void describe_limits(config::Fields& fields, PortLimits& limits) {
  fields.field("max_per_source", limits.max_per_source,
               "Connections of one address (of IPv6: one network of 64 bits) at the same time.");
  fields.require("max_per_source", limits.max_per_source >= 1, "must be at least 1");
  fields.field("new_per_source", limits.new_per_source,
               "Connections a second that one address may begin, and 20 times as many at once.");
  fields.require("new_per_source", limits.new_per_source >= 1, "must be at least 1");
  fields.field(
      "new_in_all", limits.new_in_all,
      "Connections a second that all together may begin, and 4 times as many at once; half of them are "
      "kept for addresses that come every other second or less.");
  fields.require("new_in_all", limits.new_in_all >= limits.new_per_source, "must be at least new_per_source");
}

}  // namespace

void describe(config::Fields& fields, TlsConfig& tls) {
  fields.path("cert", tls.cert,
              "PEM file with the certificate of both ports; empty: plain text, or see identity.");
  fields.path("key", tls.key, "PEM file with its private key; not readable by everybody.");
  fields.path(
      "client_ca", tls.client_ca,
      "PEM file with who signs the certificates of agents and command lines: who shows none of them is "
      "refused. Empty: nobody is asked for one.");
  fields.field("plaintext", tls.plaintext,
               "The gRPC port speaks plain text to other machines, too: whoever is on the way reads and "
               "writes along. Without it such a port is refused. For the HTTP port see http.tls.");
}

void describe(config::Fields& fields, IdentityConfig& identity) {
  constexpr milliseconds kShortestLife{10'000};
  constexpr std::string_view kWhy = "must be at least 10s";
  identity::Lives& lives = identity.lives;
  fields.field("host_life", lives.host,
               "How long an agent's certificate is good; it renews it when a third of that is left.");
  fields.require("host_life", lives.host >= kShortestLife, kWhy);
  fields.field("person_life", lives.person, "How long a person's certificate is good.");
  fields.require("person_life", lives.person >= kShortestLife, kWhy);
  fields.field("server_life", lives.server,
               "How long the aggregator's own certificate is good; it renews it likewise.");
  fields.require("server_life", lives.server >= kShortestLife, kWhy);
}

void describe(config::Fields& fields, IngestConfig& ingest) {
  fields.field("max_agents", ingest.max_agents, "Agents connected at the same time; more are refused.");
  fields.field("max_hosts", ingest.max_hosts,
               "Hosts known at the same time, connected or not; more are refused.");
  fields.require("max_hosts", ingest.max_hosts >= 1 && ingest.max_hosts <= 1'000'000, "must be 1 to 1000000");
  fields.field("max_new_hosts", ingest.max_new_hosts,
               "Hosts never seen before taken in a minute, and twice as many at once; the others try again.");
  fields.require("max_new_hosts", ingest.max_new_hosts >= 1, "must be at least 1");
  fields.field("max_series", ingest.max_series,
               "Series of one agent at the same time, and how many new ones it may bring in an hour.");
  fields.require("max_series", ingest.max_series >= 100 && ingest.max_series <= 200'000,
                 "must be 100 to 200000");
  fields.field(
      "max_known_series", ingest.max_known_series,
      "Series known of one host: those that run, and those that ended and have data that are kept; new "
      "ones beyond it are refused.");
  fields.require("max_known_series", ingest.max_known_series >= ingest.max_series,
                 "must be at least ingest.max_series");
  fields.field(
      "max_total_series", ingest.max_total_series,
      "Series known of all hosts together, also those that ended and have data that are kept; new ones "
      "beyond it are refused.");
  fields.require("max_total_series", ingest.max_total_series >= 1000, "must be at least 1000");
  fields.field(
      "max_rate", ingest.max_rate,
      "Bytes a second taken from one agent in the long run; it is read more slowly when it sends more.");
  fields.require("max_rate", ingest.max_rate.count >= 4096, "must be at least 4KiB");
  fields.field("down_after", ingest.down_after,
               "A host without samples for this long is down; a minute later, if none came since the "
               "aggregator started.");
  fields.require("down_after", ingest.down_after >= milliseconds(1000), "must be at least 1s");
  fields.field("shards", ingest.shards, "Threads that own hosts; 0: one for each two CPUs.");
  fields.require("shards", ingest.shards <= 64, "must be 0 to 64");
}

void describe(config::Fields& fields, TierConfig& tier) {
  fields.field("retention", tier.retention,
               "What is older is removed, a whole day, month or year at a time.");
  fields.require("retention", tier.retention >= std::chrono::hours(1), "must be at least 1h");
  fields.field("max_size", tier.max_size, "Size on disk; the oldest files go first. 0: no limit.");
  // Of less than this only the newest file would stay: somebody forgot the unit.
  constexpr std::uint64_t kLeastBytes = 1 << 20;
  fields.require("max_size", tier.max_size.count == 0 || tier.max_size.count >= kLeastBytes,
                 "must be 0 or at least 1MiB");
}

void describe(config::Fields& fields, StoreConfig& store) {
  fields.field("commit_interval", store.commit_interval,
               "How long received samples may wait before they are on disk and acknowledged.");
  fields.require("commit_interval",
                 store.commit_interval >= milliseconds(1) && store.commit_interval <= milliseconds(10'000),
                 "must be 1ms to 10s");
  fields.field("raw", store.raw, "Samples as they came.");
  fields.field("minute", store.minute, "A row a minute of each series, for when its samples are gone.");
  fields.field("hour", store.hour, "A row an hour of each series, for when its minutes are gone.");
  fields.field(
      "brief", store.brief,
      "A series of an agent that came and went within this time, while others went on, leaves with its "
      "samples; 0s: with its minutes and hours, as all others do.");
  fields.field("slot", store.slot, "How long samples are collected before they are compressed.");
  fields.require("slot", store.slot >= milliseconds(10'000) && store.slot <= milliseconds(1'800'000),
                 "must be 10s to 30m");
  fields.field(
      "window", store.window,
      "How long compressed samples stay in memory for rules and short queries. Rules look back 10m: with "
      "less they see less.");
}

void describe(config::Fields& fields, QueryConfig& query) {
  fields.field("threads", query.threads, "Queries evaluated at the same time.");
  fields.require("threads", query.threads >= 1 && query.threads <= 64, "must be 1 to 64");
  fields.field("timeout", query.timeout, "A query that takes longer is ended.");
  fields.field("max_samples", query.max_samples, "Samples one query may hold in memory.");
  fields.require("max_samples", query.max_samples > 0, "must be more than 0");
  fields.field("max_steps", query.max_steps, "Points of a series a range query may ask for.");
  fields.require("max_steps", query.max_steps > 0, "must be more than 0");
  fields.field("max_waiting", query.max_waiting, "Queries in line for a thread; beyond it they are refused.");
  fields.field("max_expression", query.max_expression, "Length of an expression.");
  fields.require("max_expression",
                 query.max_expression.count > 0 && query.max_expression.count <= promql::kMaxQueryBytes,
                 "must be more than 0 and at most 64KiB");
  fields.field("max_regex", query.max_regex, "Length of a regular expression in a selector.");
  fields.require("max_regex", query.max_regex.count > 0 && query.max_regex.count <= promql::kMaxRegexBytes,
                 "must be more than 0 and at most 32KiB");
}

void describe(config::Fields& fields, GrpcConfig& grpc) {
  describe_limits(fields, grpc.limits);
}

void describe(config::Fields& fields, HttpConfig& http) {
  constexpr milliseconds kShortest{100};
  fields.choice(
      "tls", http.tls, std::span<const std::pair<std::string_view, HttpTls>>(kHttpTls),
      "auto: TLS where http_listen is reached by other machines, plain text on loopback; on: TLS on "
      "loopback, too; off: plain text, also to other machines: whoever is on the way reads tokens "
      "and passwords. Certificates are those of tls, or of vigil-aggregator init.");
  fields.field(
      "max_connections", http.max_connections,
      "Connections at the same time; then those that only wait make room, the longest of the address "
      "with most first.");
  fields.require("max_connections", http.max_connections >= 4 && http.max_connections <= 4096,
                 "must be 4 to 4096");
  describe_limits(fields, http.limits);
  fields.field("header_timeout", http.header_timeout,
               "How long the handshake of TLS may take, and a request's header from its first byte.");
  fields.require("header_timeout", http.header_timeout >= kShortest, "must be at least 100ms");
  fields.field("idle_timeout", http.idle_timeout, "How long a connection may rest between requests.");
  fields.require("idle_timeout", http.idle_timeout >= kShortest, "must be at least 100ms");
  fields.field("min_rate", http.min_rate,
               "Bytes a second at which a request's body must come, after 10 s that it has in any case.");
  fields.require("min_rate", http.min_rate.count >= 1024, "must be at least 1KiB");
  fields.field("cors_origin", http.cors_origin,
               "Regular expression for whole origins whose pages may read the API in a browser, such as "
               "https://grafana[.]example[.]org; empty: none.");
}

void describe(config::Fields& fields, AggregatorConfig& config) {
  fields.path("data_dir", config.data_dir,
              "Folder of the databases; empty: $STATE_DIRECTORY, or ./vigil-data.");
  fields.field("grpc_listen", config.grpc_listen,
               "Where agents and the command line connect; port 0: any free one.");
  fields.field("http_listen", config.http_listen,
               "Where Prometheus's HTTP API, /alerts/, /healthz, /readyz and /metrics are.");
  fields.field("external_url", config.external_url,
               "How people reach this aggregator: for links in messages.");
  fields.field("grpc", config.grpc, "Who may connect to the gRPC port.");
  fields.field("http", config.http, "The HTTP port, and who may connect to it.");
  fields.field("tls", config.tls,
               "Encryption with certificates of an authority of yours; without them those of "
               "vigil-aggregator init are used, where it was run.");
  fields.field("identity", config.identity, "Certificates of the aggregator's own authority.");
  fields.field("access", config.access, "Who may do what.");
  fields.field("ingest", config.ingest, "What is taken from agents.");
  fields.field("store", config.store, "What is kept.");
  fields.field("query", config.query, "What a query may cost.");
  fields.field("remote_write", config.remote_write, "What is taken from senders of remote_write.");
  fields.field("rules", config.rules, "Alert rules.");
  fields.field("notifications", config.notifications, "Who is told.");
  fields.field("actions", config.actions,
               "What may be done about alerts, by rules that name it and by hand.");
  fields.choice("log_level", config.log_level,
                std::span<const std::pair<std::string_view, log::Level>>(kLevels), "What is logged.");
}

std::string data_directory(const AggregatorConfig& config) {
  if (!config.data_dir.empty()) return config.data_dir;
  const char* state = std::getenv("STATE_DIRECTORY");  // systemd.exec(5); the first of a list
  if (state == nullptr || *state == '\0') return "vigil-data";
  const std::string_view all(state);
  return std::string(all.substr(0, all.find(':')));
}

bool uses_own_authority(const AggregatorConfig& config) {
  return config.tls.cert.empty() && identity::has_authority(identity::folder_in(data_directory(config)));
}

bool http_speaks_tls(const AggregatorConfig& config, bool has_certificate) {
  if (config.http.tls != HttpTls::automatic) return config.http.tls == HttpTls::on;
  const auto http = parse_address(config.http_listen, kHttpPort);
  return has_certificate && http && !http->is_loopback();
}

door::Limits door_limits(const PortLimits& limits, std::size_t most) {
  return {most, limits.max_per_source, static_cast<double>(limits.new_per_source),
          static_cast<double>(limits.new_in_all)};
}

std::string access_path(const AggregatorConfig& config) {
  return data_directory(config) + "/" + access::kAccessFile;
}

alerts::AlertingOptions alerting_options(const AggregatorConfig& config) {
  alerts::AlertingOptions options{data_directory(config) + "/meta.db", config.rules, config.notifications,
                                  config.actions, config.external_url};
  options.hosts_return = config.ingest.down_after + Backoff::kLongest;
  return options;
}

}  // namespace vigil::aggregator
