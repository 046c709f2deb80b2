// What is asked of whatever makes alerts of Prometheus's rules, in cases of our own: from samples through the
// evaluation of rules to alerts, ALERTS and messages, in scripted time.
#include "aggregator/rules/fleet_rules.h"
#include "aggregator/rules/host_rules.h"
#include "tests/aggregator/alerts/service_run.h"
#include "tests/aggregator/rules/table_storage.h"

#include <algorithm>
#include <map>

namespace vigil::alerts {
namespace {

using rules::FleetRules;
using rules::HostRules;
using vigil::test::rules_of;
using vigil::test::TableStorage;
using vigil::test::TempDir;

/// The fleet's view of a table.
struct View : promql::Storage {
  explicit View(TableStorage& t) : table(t) {}
  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection) override {
    return table.select(selection);
  }
  TableStorage& table;
};

/// Values of `load{instance="web", disk=...}`, by disk; a disk that is not there any more is left out.
using Loads = std::map<std::string, double>;

/// A host whose samples are written down, its rules, and the alert service behind them.
class Bench {
 public:
  explicit Bench(const std::string& rules)
      : current_(rules_of(rules)),
        host_rules_(current_, nullptr, sink()),
        fleet_rules_(current_, nullptr, [this] { return std::make_unique<View>(table_); }, {sink(), {}}) {
    AlertServiceOptions options{dir_.file("meta.db"), [this] { return now_ms_.load(); }, {}};
    options.records = [this](rules::RecordedBatch recorded) {
      const std::lock_guard lock(mutex_);
      for (rules::RecordedSample& sample : recorded.samples) written_.push_back(std::move(sample));
    };
    auto opened = AlertService::open(options, current_.get());
    REQUIRE(opened);
    service_ = std::move(*opened);
    service_->set_notifier(recorder_);
    service_->start();
  }
  ~Bench() { service_->stop(); }

  /// Samples come in and all rules are evaluated: what is active then.
  std::string at(std::int64_t seconds, const Loads& loads) {
    now_ms_ = seconds * 1000;
    for (const auto& [disk, load] : loads) table_.add(load_of(disk), now_ms_, load);
    for (const auto& [disk, load] : loads_) {
      if (!loads.contains(disk)) table_.end(load_of(disk), now_ms_);
    }
    loads_ = loads;
    host_rules_.on_host_tick(7, "web", now_ms_, table_);
    settle();
    fleet_rules_.tick(now_ms_);
    settle();
    return active();
  }
  std::string at(std::int64_t seconds, double load) { return at(seconds, Loads{{"sda", load}}); }

  /// Pending and firing alerts, in alphabetical order: "Hot sda firing".
  std::string active() const {
    std::vector<std::string> lines;
    for (const AlertInfo& alert : alerts())
      lines.push_back(name_of(alert.labels) + " " + std::string(to_string(alert.state)));
    std::ranges::sort(lines);
    return fmt::format("{}", fmt::join(lines, ", "));
  }
  std::vector<AlertInfo> alerts() const {
    std::vector<AlertInfo> out = service_->alerts();
    std::erase_if(out, [](const AlertInfo& alert) { return alert.state == State::resolved; });
    return out;
  }

  /// Messages to "ops" since the last call.
  std::string told() {
    std::string out;
    for (const notify::Notification& note : messages())
      out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name_of(note.labels), to_string(note.kind));
    return out;
  }
  std::vector<notify::Notification> messages() {
    std::vector<notify::Notification> out;
    const auto rows = recorder_.wait_for(0);
    for (; told_ < rows.size(); ++told_) {
      if (rows[told_].receiver == "ops") out.push_back(rows[told_].note);
    }
    return out;
  }

  /// What a query gives: "labels value", in alphabetical order.
  std::string query(std::string_view expr) {
    const auto samples = rules::ask(expr, table_, now_ms_);
    REQUIRE(samples);
    std::vector<std::string> lines;
    for (const auto& [labels, value] : *samples)
      lines.push_back(fmt::format("{} {}", labels.to_string(), value));
    std::ranges::sort(lines);
    return fmt::format("{}", fmt::join(lines, "\n"));
  }

  /// Of the first rule.
  std::string last_error() const { return current_.get()->rules().front()->stats->last_error(); }

 private:
  rules::Sink sink() {
    return [this](rules::Evaluation evaluation) { service_->take(std::move(evaluation)); };
  }

  static Labels load_of(const std::string& disk) {
    return Labels{{"__name__", "load"}, {"disk", disk}, {"instance", "web"}};
  }

  static std::string name_of(const Labels& labels) {
    std::string out(labels.get("alertname"));
    for (const std::string_view name : {"disk", "severity"}) {
      if (labels.has(name)) out += " " + std::string(labels.get(name));
    }
    return out;
  }

  /// Waits until the service has taken in what it was given; rules see what it wrote.
  void settle() {
    CHECK(explain(*service_, "none").error().code == Errc::not_found);
    const std::lock_guard lock(mutex_);
    for (const rules::RecordedSample& sample : written_)
      table_.add(*sample.labels, sample.t_ms, sample.value);
    written_.clear();
  }

  const TempDir dir_;
  std::atomic<std::int64_t> now_ms_ = 0;
  test::Recorder recorder_;
  std::size_t told_ = 0;
  TableStorage table_;
  Loads loads_;
  std::mutex mutex_;  // protects written_
  std::vector<rules::RecordedSample> written_;
  rules::CurrentRules current_;
  std::unique_ptr<AlertService> service_;
  HostRules host_rules_;
  FleetRules fleet_rules_;
};

/// One rule, evaluated every 30 seconds.
std::string rule_with(const std::string& keys, const std::string& expr = "load > 10") {
  return "groups: [{name: g, interval: 30s, rules: [{alert: Hot, expr: " + expr + keys + "}]}]";
}

}  // namespace

TEST_CASE("an alert is pending, fires and is over, each at its evaluation, and then all begins anew") {
  Bench bench(rule_with(", for: 2m, annotations: {summary: 'at {{ $value }}'}"));
  for (std::int64_t t = 30; t < 120; t += 30) CHECK(bench.at(t, 9).empty());
  const auto goes_up = [&bench](std::int64_t t) {
    CHECK(bench.at(t, 11) == "Hot sda pending");
    CHECK(bench.at(t + 30, 11) == "Hot sda pending");
    CHECK(bench.at(t + 60, 15) == "Hot sda pending");
    CHECK(bench.alerts().at(0).annotations.get("summary") == "at 15");  // a pending one has the words of now
    CHECK(bench.at(t + 90, 15) == "Hot sda pending");
    CHECK(bench.told().empty());
    CHECK(bench.at(t + 120, 15) == "Hot sda firing");
  };
  goes_up(120);
  const auto first = bench.messages();
  REQUIRE(first.size() == 1);
  CHECK(first[0].active_since_ms == 120'000);
  CHECK(first[0].fired_at_ms == 240'000);
  CHECK(first[0].annotations.get("summary") == "at 15");

  CHECK(bench.at(270, 19) == "Hot sda firing");
  CHECK(bench.alerts().at(0).annotations.get("summary") == "at 19");
  CHECK(bench.told().empty());  // a value that changes is no news
  CHECK(bench.at(300, 10).empty());
  const auto over = bench.messages();
  REQUIRE(over.size() == 1);
  CHECK(over[0].kind == notify::Kind::resolved);
  CHECK(over[0].fired_at_ms == 240'000);
  CHECK(over[0].resolved_at_ms == 300'000);
  CHECK(over[0].fingerprint == first[0].fingerprint);
  for (std::int64_t t = 330; t < 450; t += 30) CHECK(bench.at(t, 9).empty());
  CHECK(bench.told().empty());  // said once

  goes_up(450);
  const auto again = bench.messages();
  REQUIRE(again.size() == 1);
  CHECK(again[0].active_since_ms == 450'000);
  CHECK(again[0].fired_at_ms == 570'000);
  CHECK(again[0].fingerprint == first[0].fingerprint);
  CHECK(again[0].key != first[0].key);
}

TEST_CASE("nobody hears of an alert that was pending only, nor of a rule that is never true") {
  Bench bench(R"(
groups:
  - name: g
    interval: 30s
    rules:
      - {alert: Short, expr: load > 10, for: 3m}
      - {alert: Never, expr: load > 99, for: 3m}
)");
  for (std::int64_t t = 30; t <= 180; t += 30) CHECK(bench.at(t, 11) == "Short sda pending");
  for (std::int64_t t = 210; t <= 600; t += 30) CHECK(bench.at(t, 9).empty());
  CHECK(bench.told().empty());
  CHECK(bench.query("ALERTS").empty());
}

TEST_CASE("without `for` an alert is never pending, and fires anew however long it was over") {
  Bench bench(rule_with(""));
  CHECK(bench.at(30, 15) == "Hot sda firing");
  CHECK(bench.query("count_over_time(ALERTS{alertstate=\"pending\"}[5m])").empty());
  CHECK(bench.told() == "Hot sda firing");
  CHECK(bench.at(60, 9).empty());
  CHECK(bench.told() == "Hot sda resolved");
  for (std::int64_t t = 90; t <= 1200; t += 30) CHECK(bench.at(t, 9).empty());  // listed no more
  CHECK(bench.at(1230, 11) == "Hot sda firing");
  CHECK(bench.told() == "Hot sda firing");
}

TEST_CASE("a `for` shorter than the interval is over at the second evaluation, and not between two") {
  Bench bench(rule_with(", for: 15s"));
  CHECK(bench.at(30, 15) == "Hot sda pending");
  CHECK(bench.at(45, 15) == "Hot sda pending");  // samples came in, and no rule is due
  CHECK(bench.at(59, 15) == "Hot sda pending");
  CHECK(bench.told().empty());
  CHECK(bench.at(60, 15) == "Hot sda firing");
  CHECK(bench.told() == "Hot sda firing");
  // Once is not enough.
  CHECK(bench.at(90, 9).empty());
  CHECK(bench.at(120, 15) == "Hot sda pending");
  CHECK(bench.at(150, 9).empty());
  CHECK(bench.told() == "Hot sda resolved");
}

TEST_CASE(
    "`for` begins anew for a series that was away where missing data ends alerts, else it stands still") {
  struct Case {
    const char* on_no_data;
    const char* while_away;
    const char* back_at_120;  // it was true for 30s before, and is for 30s again
  };
  const auto c =
      GENERATE(Case{"ok", "", "Hot sda pending"}, Case{"keep", "Hot sda pending", "Hot sda firing"});
  Bench bench(rule_with(fmt::format(", for: 60s, on_no_data: {}", c.on_no_data)));
  CAPTURE(c.on_no_data);
  CHECK(bench.at(30, 15) == "Hot sda pending");
  CHECK(bench.at(60, 15) == "Hot sda pending");
  CHECK(bench.at(90, Loads{{"sdb", 1}}) == c.while_away);
  CHECK(bench.at(120, 15) == "Hot sda pending");
  CHECK(bench.at(150, 15) == c.back_at_120);
  CHECK(bench.at(180, 15) == "Hot sda firing");
  CHECK(bench.told() == "Hot sda firing");
  // One that fires is over without data only where the rule says so.
  CHECK(bench.at(210, Loads{{"sdb", 1}}).empty() == (c.on_no_data == std::string("ok")));
}

TEST_CASE(
    "keep_firing_for: it fires on, and true in between begins the time anew; what is pending is not kept") {
  Bench bench(rule_with(", keep_firing_for: 90s"));
  CHECK(bench.at(30, 20) == "Hot sda firing");
  CHECK(bench.at(60, 5) == "Hot sda firing");
  CHECK(bench.at(90, 5) == "Hot sda firing");
  CHECK(bench.at(120, 30) == "Hot sda firing");
  CHECK(bench.at(150, 5) == "Hot sda firing");
  CHECK(bench.at(210, 5) == "Hot sda firing");
  CHECK(bench.query("count(ALERTS{alertstate=\"firing\"})") == "{} 1");
  CHECK(bench.told() == "Hot sda firing");
  Bench pending(rule_with(", for: 60s, keep_firing_for: 90s"));
  CHECK(pending.at(30, 20) == "Hot sda pending");
  CHECK(pending.at(60, 5).empty());
}

TEST_CASE("series begin and end by themselves while others fire, and are told of in that order") {
  Bench bench(rule_with(", for: 1m"));
  CHECK(bench.at(30, {{"sda", 11}, {"sdb", 5}}) == "Hot sda pending");
  CHECK(bench.at(60, {{"sda", 11}, {"sdb", 12}}) == "Hot sda pending, Hot sdb pending");
  CHECK(bench.at(90, {{"sda", 11}, {"sdb", 12}, {"sdc", 13}}) ==
        "Hot sda firing, Hot sdb pending, Hot sdc pending");
  CHECK(bench.at(120, {{"sda", 11}, {"sdb", 12}, {"sdc", 9}}) == "Hot sda firing, Hot sdb firing");
  CHECK(bench.at(150, {{"sda", 9}, {"sdb", 12}, {"sdc", 13}}) == "Hot sdb firing, Hot sdc pending");
  CHECK(bench.at(180, {{"sda", 11}, {"sdb", 12}, {"sdc", 13}}) ==
        "Hot sda pending, Hot sdb firing, Hot sdc pending");
  CHECK(bench.at(210, {{"sda", 11}, {"sdb", 9}, {"sdc", 13}}) == "Hot sda pending, Hot sdc firing");
  CHECK(bench.at(240, {{"sda", 11}, {"sdb", 9}, {"sdc", 13}}) == "Hot sda firing, Hot sdc firing");
  CHECK(bench.at(270, {{"sda", 11}, {"sdb", 9}, {"sdc", 9}}) == "Hot sda firing");
  CHECK(bench.told() ==
        "Hot sda firing, Hot sdb firing, Hot sda resolved, Hot sdb resolved, Hot sdc firing, Hot sda firing, "
        "Hot sdc resolved");
}

TEST_CASE("a rule may look at alerts, and its words at the labels it was given rather than at its own") {
  Bench bench(R"(
groups:
  - name: g
    interval: 30s
    rules:
      - {alert: Hot, expr: load > 10, for: 1m, labels: {team: disks}}
      - alert: Both
        expr: count by (alertname, team) (ALERTS{alertname="Hot", alertstate="firing"}) == 2
        labels: {team: everybody}
        annotations: {summary: '{{ $labels.alertname }} of {{ .Labels.team }}: {{ $value }}'}
)");
  bench.at(30, {{"sda", 11}, {"sdb", 5}});
  bench.at(60, {{"sda", 11}, {"sdb", 12}});
  CHECK(bench.at(90, {{"sda", 11}, {"sdb", 12}}) == "Hot sda firing, Hot sdb pending");
  CHECK(bench.at(120, {{"sda", 11}, {"sdb", 12}}) == "Both firing, Hot sda firing, Hot sdb firing");
  const auto alerts = bench.alerts();
  const auto both = std::ranges::find(alerts, "Both", &AlertInfo::name);
  CHECK(both->labels == Labels{{"alertname", "Both"}, {"team", "everybody"}});
  CHECK(both->annotations.get("summary") == "Hot of disks: 2");
  CHECK(bench.query("ALERTS{alertname=\"Hot\"}") ==
        "ALERTS{alertname=\"Hot\", alertstate=\"firing\", disk=\"sda\", instance=\"web\", team=\"disks\"} 1\n"
        "ALERTS{alertname=\"Hot\", alertstate=\"firing\", disk=\"sdb\", instance=\"web\", team=\"disks\"} 1");
  CHECK(bench.at(150, {{"sda", 9}, {"sdb", 12}}) == "Hot sdb firing");
}

TEST_CASE("an alert whose labels change with its value is over, and another begins, in this order") {
  Bench bench(rule_with(
      ", labels: {severity: '{{ if gt $value 90.0 }}critical{{ else }}warning{{ end }}'}, annotations: "
      "{summary: '{{ $labels.disk }} at {{ $value }}'}"));
  CHECK(bench.at(30, 50) == "Hot sda warning firing");
  CHECK(bench.at(60, 60) == "Hot sda warning firing");
  CHECK(bench.told() == "Hot sda warning firing");
  CHECK(bench.at(90, 95) == "Hot sda critical firing");
  auto messages = bench.messages();
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].kind == notify::Kind::resolved);
  CHECK(messages[0].severity == "warning");
  CHECK(messages[0].annotations.get("summary") == "sda at 60");
  CHECK(messages[1].kind == notify::Kind::firing);
  CHECK(messages[1].severity == "critical");
  CHECK(messages[1].annotations.get("summary") == "sda at 95");
  CHECK(messages[0].fingerprint != messages[1].fingerprint);
  CHECK(bench.at(120, 50) == "Hot sda warning firing");
  CHECK(bench.told() == "Hot sda critical resolved, Hot sda warning firing");
  CHECK(bench.at(150, 5).empty());
  CHECK(bench.told() == "Hot sda warning resolved");
}

TEST_CASE("`for` begins anew when labels change with the value") {
  Bench bench(rule_with(
      ", for: 1m, labels: {severity: '{{ if gt $value 90.0 }}critical{{ else }}warning{{ end }}'}"));
  CHECK(bench.at(30, 50) == "Hot sda warning pending");
  CHECK(bench.at(60, 95) == "Hot sda critical pending");
  CHECK(bench.at(90, 95) == "Hot sda critical pending");
  CHECK(bench.at(120, 95) == "Hot sda critical firing");
  CHECK(bench.told() == "Hot sda critical firing");
}

TEST_CASE("alerts of one name and different severity stand beside each other, and each is over by itself") {
  Bench bench(R"(
groups:
  - name: g
    interval: 30s
    rules:
      - {alert: Hot, expr: load > 10, for: 1m, labels: {severity: warning}}
      - {alert: Hot, expr: load > 90, for: 30s, labels: {severity: critical}}
)");
  CHECK(bench.at(30, 50) == "Hot sda warning pending");
  CHECK(bench.at(60, 50) == "Hot sda warning pending");
  CHECK(bench.at(90, 95) == "Hot sda critical pending, Hot sda warning firing");
  CHECK(bench.at(120, 95) == "Hot sda critical firing, Hot sda warning firing");
  CHECK(bench.told() == "Hot sda warning firing, Hot sda critical firing");
  CHECK(bench.at(150, 50) == "Hot sda warning firing");
  CHECK(bench.at(180, 5).empty());
  CHECK(bench.told() == "Hot sda critical resolved, Hot sda warning resolved");
}

TEST_CASE("an alert stays what it is while its value, its words and the order of its series change") {
  Bench bench(rule_with(", annotations: {summary: '{{ $labels.disk }} at {{ $value }}'}"));
  bench.at(30, {{"sdb", 11}});
  const auto before = bench.alerts();
  REQUIRE(before.size() == 1);
  for (std::int64_t t = 60; t <= 300; t += 30) {
    bench.at(t, {{"sda", t % 60 == 0 ? 20 : 5}, {"sdb", static_cast<double>(t)}});
    const auto alerts = bench.alerts();
    const auto same = std::ranges::find(alerts, before[0].fingerprint, &AlertInfo::fingerprint);
    REQUIRE(same != alerts.end());
    CHECK(same->labels == before[0].labels);
    CHECK(same->active_since_ms == 30'000);
    CHECK(same->fired_at_ms == 30'000);
    CHECK(same->annotations.get("summary") == fmt::format("sdb at {}", t));
  }
  const auto messages = bench.messages();
  CHECK(std::ranges::count(messages, before[0].fingerprint, &notify::Notification::fingerprint) == 1);
}

TEST_CASE("labels of a rule win over those of its series, and its words see what the series had") {
  Bench bench(
      rule_with(", labels: {disk: any, also: '{{ $labels.disk }}', gone: ''}, annotations: {summary: '{{ "
                "$labels.disk }}'}",
                "load > 10"));
  CHECK(bench.at(30, 15) == "Hot any firing");
  const auto alerts = bench.alerts();
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].labels ==
        Labels{{"alertname", "Hot"}, {"also", "sda"}, {"disk", "any"}, {"instance", "web"}});
  CHECK(alerts[0].annotations.get("summary") == "sda");
}

TEST_CASE("a rule whose alerts would be one fails, and its alerts stay as they are until it does not") {
  Bench bench(rule_with(", labels: {disk: any}"));
  CHECK(bench.at(30, 15) == "Hot any firing");
  CHECK(bench.last_error().empty());
  CHECK(bench.at(60, {{"sda", 15}, {"sdb", 15}}) == "Hot any firing");
  CHECK(bench.last_error().find("same labelset") != std::string::npos);
  CHECK(bench.at(90, {{"sda", 5}, {"sdb", 5}}).empty());
  CHECK(bench.last_error().empty());
  CHECK(bench.told() == "Hot any firing, Hot any resolved");
}

}  // namespace vigil::alerts
