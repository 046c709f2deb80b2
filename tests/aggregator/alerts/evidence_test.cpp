#include "aggregator/alerts/evidence.h"

#include "aggregator/rules/presets.h"
#include "tests/aggregator/alerts/service_run.h"
#include "tests/aggregator/rules/table_storage.h"

#include <atomic>

using namespace vigil;
using namespace vigil::alerts;
using namespace vigil::alerts::test;
using vigil::test::TableStorage;

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

TEST_CASE(
    "What had no answer when an alert went pending is asked again when it fires, and no answer is lost") {
  const TempDir dir;
  std::atomic<int> asked = 0;
  const EvidenceCollector collector = [&](std::string_view /*instance*/, std::int64_t /*t_ms*/) {
    std::vector<notify::Evidence> answers = {{"By memory", {{fmt::format("asked {}", ++asked), "1GiB"}}}};
    if (asked > 1) answers.insert(answers.begin(), {"By CPU", {{"postgres", "71%"}}});
    return answers;
  };
  Run run(dir, kRules, collector);
  constexpr std::size_t kSlow = 1;  // of kRules: for 10s
  for (const int second : {7, 12, 18}) run.evaluate(kSlow, second, {"web"});
  const auto rows = run.recorder.wait_for(1);
  const auto& evidence = rows.at(0).note.evidence;
  REQUIRE(evidence.size() == 2);
  CHECK(evidence[0].title == "By CPU");
  CHECK(evidence[1].rows[0].name == "asked 1");
}

TEST_CASE("The shipped evidence queries answer from process and container series") {
  const auto plan = load_evidence(rules::evidence_text(), "evidence.yml");
  REQUIRE(plan);
  TableStorage storage;
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
  TableStorage storage;
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
  TableStorage storage;
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

TEST_CASE("evidence is gathered within bounds: so many times a round, and no longer than its patience") {
  int asked = 0;
  const EvidenceRound::Collect collect = [&asked] {
    ++asked;
    return std::vector<notify::Evidence>{{"Top", {}}};
  };
  EvidenceRound many(std::chrono::hours(1));
  for (int i = 0; i < 100; ++i) many.gather(collect);
  CHECK(asked == EvidenceRound::kMost);
  many.begin();
  CHECK(many.gather(collect).size() == 1);
  asked = 0;
  EvidenceRound impatient(std::chrono::nanoseconds(1));
  for (int i = 0; i < 100; ++i) impatient.gather(collect);
  CHECK(asked == 1);
}
