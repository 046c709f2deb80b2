// A small fleet in memory with the API before it: hosts "db-1" and "web-1", each with node_load1 and a
// counter of two devices, once a second from kT0 on for a minute.
#pragma once

#include "aggregator/api/api.h"
#include "aggregator/head/shard_set.h"
#include "tests/support/catch.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <future>
#include <memory>
#include <string>
#include <utility>

namespace vigil::aggregator::api {

inline constexpr std::int64_t kT0 = 1'700'000'000'000;
inline constexpr std::int64_t kNow = kT0 + 60'000;

/// Keeps the one answer, and can play a client that left.
class TestExchange : public http::Exchange {
 public:
  void deliver(http::Response response) override { answer_.set_value(std::move(response)); }
  bool client_gone() const override { return gone_; }
  void leave() { gone_ = true; }
  http::Response wait() { return answer_.get_future().get(); }

 private:
  std::promise<http::Response> answer_;
  std::atomic<bool> gone_ = false;
};

/// The whole body, pieces and all.
inline std::string whole(http::Response& response) {
  std::string body = std::move(response.body);
  while (response.next) {
    const std::string piece = response.next();
    if (piece.empty()) break;
    body += piece;
  }
  return body;
}

struct Answer {
  unsigned status = 0;
  std::string text;
  http::Response response;

  boost::json::value json() const { return boost::json::parse(text); }
  /// The member `data`, as text.
  std::string data() const { return boost::json::serialize(json().at("data")); }
};

class Fleet {
 public:
  explicit Fleet(QueryLimits limits = {}) : shards_(1, {}, nullptr) {
    Shard& shard = shards_.at(0);
    add_host(shard, "web-1", 1'500);
    add_host(shard, "db-1", 500);
    shard.worker().start();
    engine_ = std::make_unique<QueryEngine>(view_, limits);
    ApiSources sources{*engine_, [] { return kNow; }};
    sources.alerts = [this] { return alerts; };
    sources.rules = [this] { return rules; };
    sources.config = [this] { return config; };
    sources.reload = [this](const access::Actor&, Reloaded done) { done(reloaded); };
    sources.readiness = [this] { return not_ready; };
    sources.external_labels = [] { return Labels{{"site", "here"}}; };
    sources.facts = {
        kT0, "0.1.0", "/srv", "https://vigil.example", "30d", {{"config", ""}, {"data-dir", "/data"}}};
    api_ = std::make_unique<Api>(std::move(sources));
    api_->add_routes(router);
  }
  ~Fleet() {
    engine_->stop();
    api_->stop();
    shards_.at(0).worker().stop();
  }
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  Answer get(const std::string& target) { return ask(*http::parse_target("GET", target)); }
  Answer post(const std::string& path, const std::string& form) {
    auto request = *http::parse_target("POST", path);
    request.body = form;
    REQUIRE(http::add_query(request, form));
    return ask(std::move(request));
  }
  Answer ask(http::Request request) {
    const auto found = router.find(request.method, request.path);
    if (const auto* none = std::get_if<http::Response>(&found)) return {none->status, none->body, *none};
    const auto& handler = std::get<const http::Route*>(found)->handler;
    http::Response response = std::holds_alternative<http::Handler>(handler)
                                  ? std::get<http::Handler>(handler)(request)
                                  : later(std::get<http::LaterHandler>(handler), std::move(request));
    std::string text = whole(response);
    return {response.status, std::move(text), std::move(response)};
  }
  static http::Response later(const http::LaterHandler& handler, http::Request request) {
    const auto exchange = std::make_shared<TestExchange>();
    handler(std::move(request), http::Responder(exchange));
    return exchange->wait();
  }

  QueryEngine& engine() { return *engine_; }

  http::Router router;
  std::vector<alerts::AlertInfo> alerts;
  std::vector<alerts::RuleInfo> rules;
  ConfigState config{"rules: {}\n", true, kT0};
  Result<ReloadReport> reloaded = ReloadReport{};
  std::string not_ready;

 private:
  static void add_host(Shard& shard, const std::string& name, std::int64_t load) {
    HostRecord record;
    record.name = name;
    record.machine_id = std::string(16, name[0]);
    record.interval_ms = 1000;
    record.labels = Labels{{"env", "prod"}};
    Host& host = **shard.enroll(record, kT0);
    const std::vector<SeriesSpec> specs = {{"node_load1", {}, SeriesType::gauge, Encoding::decimal, 3},
                                           {"node_network_receive_bytes_total", Labels{{"device", "eth0"}},
                                            SeriesType::counter, Encoding::decimal, 0},
                                           {"node_network_receive_bytes_total", Labels{{"device", "lo"}},
                                            SeriesType::counter, Encoding::decimal, 0}};
    host.head.set_columns(1, {"node", 1000}, *shard.columns(host, {"node", 1000}, specs, kT0));
    for (std::int64_t i = 0; i <= 60; ++i)
      host.head.append(1, kT0 + i * 1000, std::vector<std::int64_t>{load, i * 100, i});
    shard.rows_arrived(host, {kNow, kNow}, kNow);
    host.state = HostState::up;
  }

  ShardSet shards_;
  FleetView view_{shards_, nullptr};
  std::unique_ptr<QueryEngine> engine_;
  std::unique_ptr<Api> api_;
};

}  // namespace vigil::aggregator::api
