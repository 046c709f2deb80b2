#include "aggregator/alerts/alerting.h"

#include "aggregator/alerts/acting.h"
#include "aggregator/alerts/maintaining.h"
#include "aggregator/alerts/routing_file.h"
#include "aggregator/notify/heartbeat.h"
#include "aggregator/rules/presets.h"
#include "common/clock.h"
#include "common/log/log.h"
#include "common/patient_clock.h"
#include "common/threads/worker.h"

#include <chrono>
#include <mutex>
#include <utility>

namespace vigil::alerts {
namespace {

Result<rules::RuleSetPtr> load_rules(const rules::RulesConfig& config, const std::string& external_url) {
  Labels external;
  for (const auto& [name, value] : config.external_labels) external.set(name, value);
  return rules::RuleSet::load(config, external, external_url);
}

EvidenceCollector make_collector(const rules::FleetRules::OpenStorage& open_storage) {
  auto plan = load_evidence(rules::evidence_text(), "evidence.yml");
  if (!plan) {  // a test reads the shipped file, so this is a bug
    log::error("alerts", "the built-in evidence file is broken", {{"error", plan.error()}});
    return {};
  }
  const auto shared = std::make_shared<const EvidencePlan>(std::move(*plan));
  return [shared, open_storage](std::string_view instance, std::int64_t t_ms) {
    const auto storage = open_storage();
    return collect_evidence(*shared, *storage, instance, t_ms);
  };
}

Ask make_ask(const rules::FleetRules::OpenStorage& open_storage) {
  if (!open_storage) return {};
  return [open_storage](std::string_view expr, std::int64_t t_ms) {
    const auto storage = open_storage();
    return rules::ask(expr, *storage, t_ms);
  };
}

class Whole : public Alerting {
 public:
  Whole(rules::RuleSetPtr rules, const AlertingOptions& options, std::unique_ptr<AlertService> service)
      : current_(std::move(rules)),
        external_url_(options.external_url),
        service_(std::move(service)),
        notifications_(options.notifications),
        executor_(hooks(), options.notifications.allow_private ? notify::Reach::everywhere
                                                               : notify::Reach::public_only) {
    service_->set_perform([this](const actions::ActionConfig& action, const actions::Run& run) {
      return executor_.perform(action, run);
    });
  }
  ~Whole() override { stop(); }

  Result<void> connect(LoadedRouting routing, rules::FleetRules::OpenStorage open_storage,
                       rules::RecordSink records) {
    routing_warnings_ = std::move(routing.warnings);
    auto notifier = notify::Notifier::create(
        notifications_, std::move(routing.endpoints),
        [this](notify::Delivery delivery) { service_->delivered(std::move(delivery)); });
    if (!notifier) return notifier.error();
    notifier_ = std::move(*notifier);
    service_->set_notifier(*notifier_);
    const auto open = [this, open_storage = std::move(open_storage)] {
      fleet_worker_.getting_on();
      return open_storage();
    };
    fleet_ = std::make_unique<rules::FleetRules>(current_, service_->known(), open,
                                                 rules::FleetRules::Sinks{sink(), std::move(records)});
    return {};
  }

  rules::HostRules make_host_rules() override { return {current_, service_->known(), sink()}; }

  void set_ask_agent(AskAgent ask_agent) override { ask_agent_ = std::move(ask_agent); }
  void action_answered(const std::string& host, const std::string& run, actions::Outcome outcome) override {
    executor_.answered(host, run, std::move(outcome));
  }

  void start() override {
    notifier_->start();
    service_->start();
    fleet_worker_.every(std::chrono::seconds(1), [this] { fleet_->tick(wall_ms()); });
    fleet_worker_.every(std::chrono::seconds(1), [this] { executor_.look(actions::Executor::Clock::now()); });
    fleet_worker_.start();
    running_ = true;
  }

  void stop() override {
    if (!std::exchange(running_, false)) return;
    fleet_worker_.stop();
    service_->hold_actions();
    executor_.stop();
    notifier_->stop();  // its last words go to the service
    service_->stop();
  }

  Result<void> reload(const rules::RulesConfig& config, std::vector<actions::ActionConfig> actions,
                      std::function<void()> adopted) override {
    auto rules = load_rules(config, external_url_);
    config::Problems problems;
    problems.add(rules);
    auto routing = load_routing(notifications_, external_url_);
    problems.add(routing);
    problems.add(actions::check(actions));
    if (rules) problems.add(check_actions(**rules, actions));
    if (auto fine = problems.result(); !fine) return fine;
    if (routing->routing) {
      notifier_->replace_for_groups(std::move(routing->endpoints));
      const std::lock_guard lock(mutex_);
      routing_warnings_ = std::move(routing->warnings);
    }
    current_.replace(*rules);
    service_->reload({*rules, std::move(routing->routing),
                      std::make_shared<const std::vector<actions::ActionConfig>>(std::move(actions)),
                      [this](rules::KnownAlertsPtr moved) { current_.hand_over(std::move(moved)); }},
                     std::move(adopted));
    return {};
  }
  void forget_host(std::string instance) override { service_->forget_host(std::move(instance)); }

  std::vector<const Worker*> workers() const override { return {&fleet_worker_, &service_->worker()}; }

  AlertService& service() override { return *service_; }
  const AlertService& service() const override { return *service_; }
  const std::string& loss() const override { return service_->loss(); }
  std::vector<AlertInfo> alerts() const override { return service_->alerts(); }
  std::vector<RuleInfo> rules() const override { return service_->rules(); }
  rules::RuleSetPtr rule_set() const override { return current_.get(); }
  std::vector<std::string> warnings() const override {
    std::vector<std::string> out = current_.get()->warnings();
    for (std::string& text : untold_maintenances()) out.push_back(std::move(text));
    const std::lock_guard lock(mutex_);
    out.insert(out.end(), routing_warnings_.begin(), routing_warnings_.end());
    return out;
  }
  Counters counters() const override {
    Counters out = service_->counters();
    out.missed = fleet_->missed();
    return out;
  }
  std::map<std::string, actions::RunFigures> run_figures() const override { return service_->run_figures(); }
  std::vector<notify::ReceiverStats> receivers() const override { return notifier_->stats(); }
  Result<std::vector<notify::TestAnswer>> test_receiver(const std::string& receiver,
                                                        const std::function<bool()>& is_cancelled) override {
    return notifier_->test(receiver, is_cancelled);
  }

 private:
  std::vector<std::string> untold_maintenances() const {
    std::vector<std::string> receivers;
    for (const notify::ReceiverStats& each : notifier_->stats()) {
      if (!each.takes_groups && each.kind != "gone") receivers.push_back(each.receiver);
    }
    if (const RoutingPtr routing = service_->routing()) {
      for (const auto& [name, channels] : routing->channels) receivers.push_back(name);
    }
    return untold(*service_->silences(), receivers, wall_ms());
  }

  rules::Sink sink() {
    return [this](rules::Evaluation evaluation) { service_->take(std::move(evaluation)); };
  }

  actions::ExecutorHooks hooks() {
    return {[this](const std::string& run, actions::Outcome outcome) {
              service_->action_ended(run, std::move(outcome));
            },
            [this](const actions::AgentOrder& order, std::function<void(const std::string&)> refused) {
              if (!ask_agent_) return refused("no agent can be asked");
              ask_agent_(order, std::move(refused));
            }};
  }

  rules::CurrentRules current_;
  const std::string external_url_;
  std::unique_ptr<AlertService> service_;
  std::unique_ptr<notify::Notifier> notifier_;
  const notify::NotificationsConfig notifications_;
  mutable std::mutex mutex_;  // protects routing_warnings_
  std::vector<std::string> routing_warnings_;
  std::unique_ptr<rules::FleetRules> fleet_;
  AskAgent ask_agent_;
  Worker fleet_worker_{"fleet-rules"};
  bool running_ = false;
  actions::Executor executor_;  // last: its threads look at the others
};

}  // namespace

Result<std::vector<std::string>> check(const AlertingOptions& options) {
  config::Problems problems;
  const auto rules = load_rules(options.rules, options.external_url);
  problems.add(rules);
  problems.add(notify::check(options.notifications));
  problems.add(notify::Heartbeat::create(options.notifications.heartbeat, options.notifications.timeout, {}));
  const auto routing = load_routing(options.notifications, options.external_url);
  problems.add(routing);
  problems.add(actions::check(options.actions));
  if (rules) problems.add(check_actions(**rules, options.actions));
  if (const auto fine = problems.result(); !fine) return fine.error();
  std::vector<std::string> warnings = (*rules)->warnings();
  warnings.insert(warnings.end(), routing->warnings.begin(), routing->warnings.end());
  return warnings;
}

Result<std::unique_ptr<Alerting>> Alerting::open(const AlertingOptions& options, FleetReaders readers,
                                                 rules::RecordSink records) {
  auto rules = load_rules(options.rules, options.external_url);
  if (!rules) return rules.error();
  auto routing = load_routing(options.notifications, options.external_url);
  if (!routing) return routing.error();
  if (auto fine = actions::check(options.actions); !fine) return fine.error();
  if (auto fine = check_actions(**rules, options.actions); !fine) return fine.error();
  auto service = AlertService::open(
      {options.meta_path, wall_ms, make_collector(readers.for_evidence), make_ask(readers.for_evidence),
       records, routing->routing, std::make_shared<const std::vector<actions::ActionConfig>>(options.actions),
       options.ran_before, patient_wall_ms, options.hosts_return},
      *rules);
  if (!service) return service.error();
  auto whole = std::make_unique<Whole>(*rules, options, std::move(*service));
  if (auto connected = whole->connect(std::move(*routing), std::move(readers.for_rules), std::move(records));
      !connected) {
    return connected.error();
  }
  // NOLINTBEGIN(clang-analyzer-cplusplus.NewDeleteLeaks): owned; some versions say so at the brace
  return std::unique_ptr<Alerting>(std::move(whole));
}
// NOLINTEND(clang-analyzer-cplusplus.NewDeleteLeaks)

}  // namespace vigil::alerts
