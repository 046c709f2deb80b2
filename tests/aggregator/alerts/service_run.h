// The alert service with a real meta.db and a notifier that only writes down what it is given.
#pragma once

#include "aggregator/alerts/alert_service.h"
#include "tests/aggregator/alerts/rules_of.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace vigil::alerts::test {

using vigil::test::rules_of;
using vigil::test::TempDir;

inline constexpr const char* kRules = R"(
groups:
  - name: g
    interval: 1s
    rules:
      - {alert: Full, expr: used > 90, labels: {severity: warning}}
      - {alert: Slow, expr: ms > 5, for: 10s, labels: {severity: critical}}
      - {alert: HostDown, expr: up == 0, labels: {severity: critical}, annotations: {vigil_inhibits: instance}}
)";

class Recorder : public notify::Notifier {
 public:
  void start() override {}
  void stop() override {}
  void replace_for_groups(std::vector<notify::Endpoint> /*endpoints*/) override {}
  void enqueue(std::vector<notify::Row> more) override {
    const std::lock_guard lock(mutex_);
    for (notify::Row& row : more) rows_.push_back(std::move(row));
    changed_.notify_all();
  }
  void remember(std::vector<notify::ThreadChange> threads) override {
    const std::lock_guard lock(mutex_);
    remembered_ = std::move(threads);
  }
  void recall(const std::vector<notify::GivenUp>& losses) override {
    const std::lock_guard lock(mutex_);
    recalled_ = losses;
  }
  std::vector<std::string> targets(const notify::Notification& note) const override {
    if (!has_own) return {};
    return note.severity == "critical" && has_boss ? std::vector<std::string>{"ops", "boss"}
                                                   : std::vector<std::string>{"ops"};
  }
  std::vector<Late> late_targets(const notify::Notification& note) const override {
    if (!has_late || note.severity != "critical") return {};
    if (has_two_steps) return {{"night", std::chrono::minutes(10)}, {"night", std::chrono::minutes(20)}};
    return {{"night", std::chrono::minutes(10)}};
  }
  /// A receiver that is told of what is so severe.
  std::string least_of;
  notify::Severity least = notify::Severity::info;
  std::vector<notify::ReceiverStats> stats() const override {
    std::vector<notify::ReceiverStats> out;
    for (const char* name : {"ops", "boss", "night", "web/chat"})
      out.push_back(
          {name, "webhook", false, 0, 0, 0, 0, "", name == least_of ? least : notify::Severity::info});
    return out;
  }

  Result<std::vector<notify::TestAnswer>> test(const std::string& /*receiver*/,
                                               const std::function<bool()>& /*is_cancelled*/) override {
    return std::vector<notify::TestAnswer>();
  }

  std::atomic<bool> has_late = false;       // somebody to escalate to
  std::atomic<bool> has_two_steps = false;  // and the same again, later
  std::atomic<bool> has_boss = true;
  std::atomic<bool> has_own = true;  // false: nobody but the receivers of alertmanager.yml

  /// The rows once there are `count`, or what there is after ten seconds.
  std::vector<notify::Row> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return rows_.size() >= count; });
    return rows_;
  }
  std::vector<notify::ThreadChange> remembered() {
    const std::lock_guard lock(mutex_);
    return remembered_;
  }
  std::vector<notify::GivenUp> recalled() {
    const std::lock_guard lock(mutex_);
    return recalled_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<notify::Row> rows_;
  std::vector<notify::ThreadChange> remembered_;
  std::vector<notify::GivenUp> recalled_;
};

inline std::string told(const std::vector<notify::Row>& rows) {
  std::string out;
  for (const notify::Row& row : rows) {
    out += fmt::format("{}{} {} to {}", out.empty() ? "" : ", ", row.note.alert, to_string(row.note.kind),
                       row.receiver);
  }
  return out;
}

/// One run of the service over a folder that outlives it.
struct Run {
  explicit Run(const TempDir& dir, const std::string& yaml = kRules, EvidenceCollector evidence = {},
               RoutingPtr routing = {}, std::int64_t start_s = 0)
      : now_ms(start_s * 1000), rules(rules_of(yaml)) {
    AlertServiceOptions options{dir.file("meta.db"), [this] { return now_ms.load(); }, std::move(evidence)};
    options.routing = std::move(routing);
    auto opened = AlertService::open(options, rules);
    REQUIRE(opened);
    service = std::move(*opened);
    service->set_notifier(recorder);
    service->start();
  }
  ~Run() { service->stop(); }

  void evaluate(std::size_t rule, std::int64_t seconds, const std::vector<std::string>& hosts) {
    now_ms = seconds * 1000;
    const rules::RulePtr& of = rules->rules()[rule];
    const char* scope = of->scope == rules::Scope::fleet ? "" : "web";
    rules::Evaluation evaluation{of, scope, seconds * 1000, {}, {}, {}};
    for (const std::string& host : hosts) {
      evaluation.active.push_back(
          {std::make_shared<const Labels>(Labels{{"instance", host}, {"disk", "sda"}}), 95});
    }
    service->take(std::move(evaluation));
  }

  /// Waits until the service has taken in what it was given.
  void settle(std::uint64_t evaluations) {
    for (int i = 0; i < 1000 && service->counters().evaluations < evaluations; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  std::atomic<std::int64_t> now_ms;
  rules::RuleSetPtr rules;
  Recorder recorder;
  std::unique_ptr<AlertService> service;
};

}  // namespace vigil::alerts::test
