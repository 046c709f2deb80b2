#include "aggregator/api/targets.h"

#include "aggregator/api/answer.h"
#include "common/text/human.h"

#include <algorithm>

namespace vigil::aggregator::api {
namespace {

constexpr std::string_view kPool = "agents";

/// What Prometheus calls discovered: where it is, and what its own configuration says.
void write_discovered(JsonWriter& json, const HostInfo& host) {
  Labels labels = host.labels;
  labels.set("__address__", host.remote);
  labels.set("instance", host.name);
  labels.set("job", "node");
  json.key("discoveredLabels").labels(labels);
}

std::string why_down(const HostInfo& host) {
  if (!host.refusal.empty()) return host.refusal;
  if (host.state == HostState::up) return {};
  return fmt::format("{} since {}", to_string(host.state), format_rfc3339(host.since_ms));
}

void write_active(JsonWriter& json, const HostInfo& host) {
  Labels labels = host.labels;
  labels.set("instance", host.name);
  labels.set("job", "node");
  const std::string interval = format_duration(std::chrono::milliseconds(host.interval_ms));
  json.begin_object();
  write_discovered(json, host);
  json.key("labels").labels(labels).member("scrapePool", kPool);
  // An address to look at, not to ask: agents do not listen.
  json.member("scrapeUrl", "agent://" + host.name).member("globalUrl", "agent://" + host.name);
  json.member("lastError", why_down(host));
  json.member("lastScrape",
              host.last_sample_ms == 0 ? "0001-01-01T00:00:00Z" : format_rfc3339(host.last_sample_ms));
  json.member("lastScrapeDuration", 0.0);
  json.member("health", host.state == HostState::down ? "down" : "up");
  json.member("scrapeInterval", interval).member("scrapeTimeout", interval).end_object();
}

}  // namespace

http::Response targets_answer(const Errand& errand, const ApiSources& sources) {
  const std::string state = errand.request.get("state");
  if (!state.empty() && state != "active" && state != "dropped" && state != "any")
    return bad_data(fmt::format("parameter state: '{}' must be active, dropped or any", state));
  const std::string pool = errand.request.get("scrapePool");
  auto hosts = sources.engine.view().hosts();
  if (!hosts) return execution_error(hosts.error());
  std::erase_if(*hosts, [](const HostInfo& host) { return kind_of(host.name) != HostKind::agent; });
  if (!pool.empty() && pool != kPool) hosts->clear();
  const auto gone = std::partition(hosts->begin(), hosts->end(),
                                   [](const HostInfo& host) { return host.state != HostState::left; });
  return success([&](JsonWriter& json) {
    json.begin_object().key("activeTargets").begin_array();
    if (state != "dropped")
      std::for_each(hosts->begin(), gone, [&](const auto& host) { write_active(json, host); });
    json.end_array().key("droppedTargets").begin_array();
    if (state != "active") {
      std::for_each(gone, hosts->end(), [&](const auto& host) {
        json.begin_object();
        write_discovered(json, host);
        json.end_object();
      });
    }
    json.end_array().key("droppedTargetCounts").begin_object();
    json.member(kPool, hosts->end() - gone).end_object().end_object();
  });
}

http::Response scrape_pools_answer() {
  return success([](JsonWriter& json) {
    json.begin_object().key("scrapePools").begin_array().string(kPool).end_array().end_object();
  });
}

}  // namespace vigil::aggregator::api
