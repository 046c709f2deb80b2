// The service with a real meta.db and a notifier that only writes down what it is given.
#include "aggregator/alerts/alert_service.h"

#include "aggregator/alerts/meta_store.h"
#include "aggregator/alerts/silencing.h"
#include "aggregator/rules/presets.h"
#include "tests/aggregator/alerts/rules_of.h"
#include "tests/aggregator/rules/table_storage.h"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

using namespace vigil;
using namespace vigil::alerts;
using test::rules_of;
using test::TempDir;

namespace {

constexpr const char* kRules = R"(
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
  void enqueue(std::vector<notify::Row> more) override {
    const std::lock_guard lock(mutex_);
    for (notify::Row& row : more) rows_.push_back(std::move(row));
    changed_.notify_all();
  }
  std::vector<std::string> targets(const notify::Notification& note) const override {
    return note.severity == "critical" ? std::vector<std::string>{"ops", "boss"}
                                       : std::vector<std::string>{"ops"};
  }
  std::vector<notify::ReceiverStats> stats() const override { return {}; }

  /// The rows once there are `count`, or what there is after ten seconds.
  std::vector<notify::Row> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return rows_.size() >= count; });
    return rows_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<notify::Row> rows_;
};

std::string told(const std::vector<notify::Row>& rows) {
  std::string out;
  for (const notify::Row& row : rows) {
    out += fmt::format("{}{} {} to {}", out.empty() ? "" : ", ", row.note.alert, to_string(row.note.kind),
                       row.receiver);
  }
  return out;
}

/// One run of the service over a folder that outlives it.
struct Run {
  explicit Run(const TempDir& dir, const std::string& yaml = kRules, EvidenceCollector evidence = {})
      : rules(rules_of(yaml)) {
    auto opened = AlertService::open(
        {dir.file("meta.db"), [this] { return now_ms.load(); }, std::move(evidence)}, rules);
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

  std::atomic<std::int64_t> now_ms = 0;
  rules::RuleSetPtr rules;
  Recorder recorder;
  std::unique_ptr<AlertService> service;
};

}  // namespace

TEST_CASE("A firing alert is told to the receivers that want it, and its end to those that were told") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(2, 1, {"web"});
  CHECK(told(run.recorder.wait_for(2)) == "HostDown firing to ops, HostDown firing to boss");
  run.evaluate(2, 5, {"web"});
  run.evaluate(2, 8, {});
  const auto rows = run.recorder.wait_for(4);
  CHECK(
      told(rows) ==
      "HostDown firing to ops, HostDown firing to boss, HostDown resolved to ops, HostDown resolved to boss");
  const notify::Notification& note = rows[2].note;
  CHECK(note.active_since_ms == 1'000);
  CHECK(note.resolved_at_ms == 8'000);
  CHECK(note.instance == "web");
  CHECK(note.key == note.fingerprint + "-1000-resolved");
  CHECK(note.link == "https://vigil.example/alerts/" + note.fingerprint);
  CHECK(rows[0].id > 0);
  CHECK(rows[0].id != rows[1].id);
}

TEST_CASE("After a restart nothing is lost and nothing is said again") {
  const TempDir dir;
  std::int64_t delivered_id = 0;
  {
    Run run(dir);
    run.evaluate(0, 1, {"a", "b"});
    delivered_id = run.recorder.wait_for(2)[0].id;
    run.service->delivered({{delivered_id}, notify::Outcome::delivered, 0, 0, ""});
  }
  {
    // What was not delivered comes back, and only that; the alerts are still there.
    Run run(dir);
    CHECK(run.service->known()->size() == 1);
    const auto rows = run.recorder.wait_for(1);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].id != delivered_id);
    CHECK(rows[0].note.kind == notify::Kind::firing);
    const auto alerts = run.service->alerts();
    REQUIRE(alerts.size() == 2);
    CHECK(alerts[0].state == State::firing);
    CHECK(alerts[0].active_since_ms == 1'000);
    run.evaluate(0, 60, {"a", "b"});
    run.settle(1);
    CHECK(run.recorder.wait_for(1).size() == 1);
    run.service->delivered({{rows[0].id}, notify::Outcome::postponed, 3, 99'000, "HTTP 500"});
  }
  {
    Run run(dir);
    const auto rows = run.recorder.wait_for(1);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].attempts == 3);
    CHECK(rows[0].next_attempt_ms == 99'000);
    run.evaluate(0, 70, {"a"});
    CHECK(told(run.recorder.wait_for(2)) == "Full firing to ops, Full resolved to ops");
    run.service->delivered({{rows[0].id}, notify::Outcome::dead, 9, 0, "gave up"});
  }
  Run run(dir);
  CHECK(told(run.recorder.wait_for(1)) == "Full resolved to ops");
  CHECK(run.service->alerts().size() == 1);
}

TEST_CASE("An alert without an instance ends and is forgotten like any other") {
  const TempDir dir;
  {
    Run run(dir);
    run.now_ms = 1'000;
    rules::Evaluation fires{run.rules->rules()[0], "web", 1'000, {}, {}, {}};
    fires.active.push_back({std::make_shared<const Labels>(Labels{{"disk", "sda"}}), 95});
    run.service->take(std::move(fires));
    CHECK(run.recorder.wait_for(1).size() == 1);
    run.evaluate(0, 2, {});
    CHECK(run.recorder.wait_for(2).size() == 2);
  }
  Run run(dir);
  CHECK(run.service->counters().firing == 0);
}

TEST_CASE("The clock of a pending alert survives a restart") {
  const TempDir dir;
  {
    Run run(dir);
    run.evaluate(1, 1, {"a"});
    run.evaluate(1, 8, {"a"});
    run.settle(2);
  }
  Run run(dir);
  REQUIRE(run.service->alerts().size() == 1);
  CHECK(run.service->alerts()[0].state == State::pending);
  run.evaluate(1, 10, {"a"});
  run.settle(1);
  CHECK(run.service->counters().firing == 0);
  run.evaluate(1, 11, {"a"});
  CHECK(told(run.recorder.wait_for(2)) == "Slow firing to ops, Slow firing to boss");
}

TEST_CASE("An alert whose rule is gone after a restart ends, and those who heard of it are told") {
  const TempDir dir;
  {
    Run run(dir);
    run.evaluate(0, 1, {"a"});
    const auto rows = run.recorder.wait_for(1);
    run.service->delivered({{rows.at(0).id}, notify::Outcome::delivered, 0, 0, ""});
  }
  Run run(dir, "groups: []");
  const auto rows = run.recorder.wait_for(1);
  CHECK(told(rows) == "Full resolved to ops");
  CHECK(rows.at(0).note.reason == "its rule was removed");
}

TEST_CASE("An inhibited alert is announced when its inhibitor is gone, if it fires still") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(2, 1, {"web"});
  run.recorder.wait_for(2);
  run.evaluate(0, 2, {"web", "other"});
  CHECK(told(run.recorder.wait_for(3)) ==
        "HostDown firing to ops, HostDown firing to boss, Full firing to ops");
  run.settle(2);
  for (const AlertInfo& alert : run.service->alerts()) {
    CHECK(alert.inhibited_by == (alert.name == "Full" && alert.instance == "web" ? "HostDown" : ""));
  }
  CHECK(run.service->counters().inhibited == 1);
  run.evaluate(2, 3, {});
  const auto rows = run.recorder.wait_for(6);
  CHECK(rows.size() == 6);
  CHECK(rows.back().note.instance == "web");
}

TEST_CASE("An alert that ends while inhibited is never mentioned") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(2, 1, {"web"});
  run.recorder.wait_for(2);
  run.evaluate(0, 2, {"web"});
  run.evaluate(0, 3, {});
  run.evaluate(2, 4, {});
  CHECK(
      told(run.recorder.wait_for(4)) ==
      "HostDown firing to ops, HostDown firing to boss, HostDown resolved to ops, HostDown resolved to boss");
}

namespace {

silences::Silence silence_of(const char* matchers, std::int64_t start_s, std::int64_t end_s) {
  silences::Silence silence;
  silence.matchers = matchers::parse_matchers(matchers)->matchers;
  silence.starts_ms = start_s * 1000;
  silence.ends_ms = end_s * 1000;
  silence.author = "ada";
  silence.comment = "new disks";
  return silence;
}

}  // namespace

TEST_CASE("A silenced alert is told of when its silence ends, over restarts, and not when it ended before") {
  const TempDir dir;
  std::string id;
  {
    Run run(dir);
    run.now_ms = 1000;
    const auto put = put_silence(*run.service, silence_of("alertname=Full, instance=~web|gone", 0, 100));
    REQUIRE(put);
    id = *put;
    run.evaluate(0, 2, {"web", "gone", "other"});
    CHECK(told(run.recorder.wait_for(1)) == "Full firing to ops");
    run.evaluate(0, 3, {"web", "other"});
    run.settle(2);
    CHECK(run.service->counters().silenced == 2);
    for (const AlertInfo& alert : run.service->alerts()) {
      const bool muted = alert.instance == "web";
      CHECK(alert.silenced_by == (muted ? std::vector{id} : std::vector<std::string>()));
    }
  }
  Run run(dir);
  run.now_ms = 5000;
  REQUIRE(run.service->silences()->find(id) != nullptr);
  REQUIRE(expire_silence(*run.service, id));
  const auto rows = run.recorder.wait_for(2);  // nobody took the first one of the outbox
  CHECK(told(rows) == "Full firing to ops, Full firing to ops");
  CHECK(rows.back().note.instance == "web");
  CHECK(expire_silence(*run.service, id).error().code == Errc::conflict);
  CHECK(expire_silence(*run.service, "none").error().code == Errc::not_found);
}

TEST_CASE(
    "A silence that runs out lets go by itself; who was told of an alert is told its end all the same") {
  const TempDir dir;
  Run run(dir);
  run.now_ms = 1000;
  REQUIRE(put_silence(*run.service, silence_of("alertname=Full", 0, 10)));
  run.evaluate(0, 2, {"web"});
  run.settle(1);
  CHECK(run.service->counters().notifications == 0);
  run.evaluate(0, 11, {"web"});
  CHECK(told(run.recorder.wait_for(1)) == "Full firing to ops");
  REQUIRE(put_silence(*run.service, silence_of("alertname=Full", 0, 100)));
  run.evaluate(0, 12, {});
  CHECK(told(run.recorder.wait_for(2)) == "Full firing to ops, Full resolved to ops");
}

TEST_CASE("A silence that cannot be stored is none") {
  const TempDir dir;
  Run run(dir);
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute("DROP TABLE silence"));
  }
  CHECK_FALSE(put_silence(*run.service, silence_of("alertname=Full", 0, 10)));
  CHECK(run.service->silences()->size() == 0);
}

TEST_CASE("Evidence is collected when an alert fires and stays with it") {
  const TempDir dir;
  const EvidenceCollector collector = [](std::string_view instance, std::int64_t t_ms) {
    return std::vector<notify::Evidence>{
        {"Top", {{fmt::format("postgres on {} at {}", instance, t_ms), "71%"}}}};
  };
  {
    Run run(dir, kRules, collector);
    run.evaluate(0, 7, {"web"});
    const auto rows = run.recorder.wait_for(1);
    REQUIRE(rows.at(0).note.evidence.size() == 1);
    CHECK(rows[0].note.evidence[0].rows[0].name == "postgres on web at 7000");
  }
  Run run(dir);
  REQUIRE(run.service->alerts().size() == 1);
  CHECK(run.service->alerts()[0].evidence.size() == 1);
}

TEST_CASE("The shipped evidence queries answer from process and container series") {
  const auto plan = load_evidence(rules::evidence_text(), "evidence.yml");
  REQUIRE(plan);
  test::TableStorage storage;
  const auto add = [&](std::string_view comm, std::string_view instance, double cpu_per_second,
                       double bytes) {
    const Labels cpu{{"__name__", "vigil_process_cpu_seconds_total"},
                     {"comm", std::string(comm)},
                     {"instance", std::string(instance)},
                     {"pid", "42"}};
    Labels memory = cpu;
    memory.set("__name__", "vigil_process_resident_memory_bytes");
    memory.set("container", "db");
    for (int t = 0; t <= 60; t += 10) {
      storage.add(cpu, 1'000'000 + t * 1000, cpu_per_second * t);
      storage.add(memory, 1'000'000 + t * 1000, bytes);
    }
  };
  add("postgres", "web", 0.71, 3.1 * 1073741824);
  add("nginx", "web", 0.05, 52428800);
  add("elsewhere", "other", 1, 1e12);
  const auto evidence = collect_evidence(*plan, storage, "web", 1'060'000);
  REQUIRE(evidence.size() == 2);
  CHECK(evidence[0].title == "Top processes by CPU");
  REQUIRE(evidence[0].rows.size() == 2);
  CHECK(evidence[0].rows[0].name == "postgres (pid 42)");
  CHECK(evidence[0].rows[0].value == "71% of a core");
  CHECK(evidence[1].rows[0].name == "postgres (pid 42, db)");
  CHECK(evidence[1].rows[0].value == "3.1GiB");
  CHECK(collect_evidence(*plan, storage, "x\"} or {a=\"", 1'060'000).empty());
}

TEST_CASE("Evidence of a silent host is what it did last, and says when that was") {
  const auto plan = load_evidence(rules::evidence_text(), "evidence.yml");
  REQUIRE(plan);
  test::TableStorage storage;
  for (int t = 0; t <= 60; t += 10) {
    storage.add({{"__name__", "node_load1"}, {"instance", "web"}}, 1'000'000 + t * 1000, 1);
    storage.add({{"__name__", "vigil_process_cpu_seconds_total"},
                 {"comm", "postgres"},
                 {"instance", "web"},
                 {"pid", "42"}},
                1'000'000 + t * 1000, 0.5 * t);
  }
  const auto at_once = collect_evidence(*plan, storage, "web", 1'065'000);
  REQUIRE(at_once.size() == 1);
  CHECK(at_once[0].title == "Top processes by CPU");
  const auto later = collect_evidence(*plan, storage, "web", 1'105'000);  // 45 s after its last sample
  REQUIRE(later.size() == 1);
  CHECK(later[0].title == "Top processes by CPU, when last heard of: 00:17:40 UTC");
  CHECK(later[0].rows[0].value == "50% of a core");
}

TEST_CASE("Evidence calls the container of a process by its name where that is known") {
  const auto plan = load_evidence(rules::evidence_text(), "evidence.yml");
  REQUIRE(plan);
  test::TableStorage storage;
  const auto process = [&](const char* comm, const char* pid, const char* container, double bytes) {
    Labels labels{{"__name__", "vigil_process_resident_memory_bytes"},
                  {"comm", comm},
                  {"instance", "web"},
                  {"pid", pid}};
    if (*container != '\0') labels.set("container", container);
    storage.add(labels, 1'000'000, bytes);
  };
  process("postgres", "1", "0aa5e04d6a6e", 3e9);
  process("unknown", "2", "ffffffffffff", 2e9);
  process("sshd", "3", "", 1e9);
  storage.add({{"__name__", "container_info"}, {"id", "0aa5e04d6a6e"}, {"instance", "web"}, {"name", "db"}},
              1'000'000, 1);
  const auto evidence = collect_evidence(*plan, storage, "web", 1'001'000);
  REQUIRE(evidence.size() == 1);
  REQUIRE(evidence[0].rows.size() == 3);
  CHECK(evidence[0].rows[0].name == "postgres (pid 1, db)");
  CHECK(evidence[0].rows[1].name == "unknown (pid 2, ffffffffffff)");
  CHECK(evidence[0].rows[2].name == "sshd (pid 3)");
}

TEST_CASE("meta.db of a newer version is refused, and a broken row costs only itself") {
  const TempDir dir;
  {
    Run run(dir);
    run.evaluate(0, 1, {"a", "b"});
    run.recorder.wait_for(2);
  }
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute(
        "UPDATE alert SET body='{' WHERE fingerprint=(SELECT min(fingerprint) FROM alert)"));
  }
  {
    const Run run(dir);
    CHECK(run.service->alerts().size() == 1);
  }
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute("PRAGMA user_version=99"));
  }
  const auto refused = AlertService::open({dir.file("meta.db"), [] { return 0; }, {}}, rules_of(kRules));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::unsupported);
}

TEST_CASE("a meta.db that SQLite cannot read is set aside, and alerts begin anew") {
  const TempDir dir;
  {
    Run run(dir);
    run.evaluate(0, 1, {"a", "b"});
    run.recorder.wait_for(2);
  }
  const std::string path = dir.file("meta.db");
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);  // behind SQLite's header: the page with the schema
    file << std::string(3000, '\x55');
    REQUIRE(file.good());
  }
  Run run(dir);
  CHECK(run.service->alerts().empty());
  CHECK(std::filesystem::exists(path + ".damaged"));
  run.evaluate(0, 2, {"a"});
  CHECK(run.recorder.wait_for(1).size() == 1);
}

TEST_CASE("When the disk refuses, messages go out all the same and the alert is stored later") {
  const TempDir dir;
  std::int64_t id = -1;
  {
    Run run(dir);
    // Another connection holds the write lock: commits fail as they do on a full disk.
    auto other = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(other);
    REQUIRE(other->execute("BEGIN IMMEDIATE"));
    run.evaluate(0, 1, {"a"});
    const auto rows = run.recorder.wait_for(1);
    REQUIRE(rows.size() == 1);
    id = rows[0].id;
    CHECK(run.service->counters().commit_failures >= 1);
    REQUIRE(other->execute("ROLLBACK"));
  }
  CHECK(id == 0);
  const Run run(dir);
  CHECK(run.service->alerts().size() == 1);
}

TEST_CASE("Rules are listed with their state, and a rule of yesterday cannot fire today") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(0, 1, {"a", "b"});
  run.evaluate(1, 1, {"a"});
  run.settle(2);
  auto rules = run.service->rules();
  REQUIRE(rules.size() == 3);
  CHECK(rules[0].state == State::firing);
  CHECK(rules[0].firing == 2);
  CHECK(rules[1].state == State::pending);
  CHECK(rules[2].state == State::inactive);

  run.service->reload(
      rules_of("groups: [{name: g, rules: [{alert: Slow, expr: ms > 5, labels: {severity: critical}}]}]"));
  run.evaluate(0, 2, {"a", "b", "c"});
  run.settle(3);
  rules = run.service->rules();
  REQUIRE(rules.size() == 1);
  CHECK(rules[0].pending == 1);
  CHECK(run.service->counters().firing == 0);
}

TEST_CASE("an alert begun by an evaluation that was under way during a reload has the texts of today") {
  const TempDir dir;
  Run run(dir);
  run.service->reload(
      rules_of("groups: [{name: g, rules: [{alert: Full, expr: used > 90, labels: {severity: "
               "warning}, annotations: {summary: as of today}}]}]"));
  run.evaluate(0, 2, {"a"});  // of the rules before
  const auto rows = run.recorder.wait_for(1);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].note.annotations == Labels{{"summary", "as of today"}});
}

TEST_CASE("evidence is gathered within bounds: so many times a round, and no longer than its patience") {
  int asked = 0;
  const EvidenceCollector collect = [&asked](std::string_view, std::int64_t) {
    ++asked;
    return std::vector<notify::Evidence>{{"Top", {}}};
  };
  EvidenceRound many(collect, std::chrono::hours(1));
  for (int i = 0; i < 100; ++i) many.gather("web-1", 0);
  CHECK(asked == EvidenceRound::kMost);
  many.begin();
  CHECK(many.gather("web-1", 0).size() == 1);
  CHECK(many.gather("", 0).empty());
  asked = 0;
  EvidenceRound impatient(collect, std::chrono::nanoseconds(1));
  for (int i = 0; i < 100; ++i) impatient.gather("web-1", 0);
  CHECK(asked == 1);
}

TEST_CASE("what a rule saw of a host before it was forgotten brings no alert back, what it sees later does") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(0, 100, {"web-1"});
  run.recorder.wait_for(1);
  run.service->forget_host("web-1");
  run.recorder.wait_for(2);
  run.evaluate(0, 100, {"web-1", "web-2"});  // it was under way
  run.settle(2);
  auto alerts = run.service->alerts();
  std::erase_if(alerts, [](const AlertInfo& alert) { return alert.state != State::firing; });
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].instance == "web-2");
  run.evaluate(0, 101, {"web-1", "web-2"});  // it is back
  run.settle(3);
  alerts = run.service->alerts();
  std::erase_if(alerts, [](const AlertInfo& alert) { return alert.state != State::firing; });
  CHECK(alerts.size() == 2);
}
