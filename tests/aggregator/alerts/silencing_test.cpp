#include "aggregator/alerts/silencing.h"

#include "aggregator/silences/silence_json.h"
#include "tests/aggregator/alerts/service_run.h"

using namespace vigil;
using namespace vigil::alerts;
using namespace vigil::alerts::test;

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

TEST_CASE(
    "Over a restart silences are forgotten days after their end, and a row nobody can read costs itself") {
  const TempDir dir;
  constexpr std::int64_t kDayS = 86'400;
  std::string kept;
  {
    Run run(dir);
    run.now_ms = 1000;
    REQUIRE(put_silence(*run.service, silence_of("alertname=Full", 0, 10)));
    kept = put_silence(*run.service, silence_of("alertname=Slow", 0, 9 * kDayS)).value();
  }
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute("INSERT INTO silence VALUES('broken','{')"));
  }
  Run run(dir);
  CHECK(run.service->silences()->size() == 2);
  run.now_ms = 6 * kDayS * 1000;
  for (int i = 0; i < 500 && run.service->silences()->size() > 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(run.service->silences()->size() == 1);
  CHECK(run.service->silences()->find(kept) != nullptr);
}

TEST_CASE(
    "A change that would rewrite what a silence did ends it and makes another, both of which are stored") {
  const TempDir dir;
  std::string first;
  std::string second;
  {
    Run run(dir);
    run.now_ms = 1000;
    first = put_silence(*run.service, silence_of("alertname=Full", 0, 100)).value();
    run.now_ms = 2000;
    auto changed = silence_of("alertname=Slow", 0, 100);
    changed.id = first;
    second = put_silence(*run.service, changed).value();
    CHECK(first != second);
  }
  const Run run(dir);
  const auto book = run.service->silences();
  REQUIRE(book->size() == 2);
  CHECK(book->find(first)->state_at(2000) == silences::State::expired);
  CHECK(book->find(second)->state_at(2000) == silences::State::active);
}

TEST_CASE("So many silences may run; ending one makes room") {
  const TempDir dir;
  auto store = MetaStore::open(dir.file("meta.db"));
  REQUIRE(store);
  std::vector<StoredSilence> rows;
  for (int i = 0; i < 10'000; ++i) {
    auto silence = silence_of("alertname=Full", 0, 100);
    silence.id = fmt::format("s{:05}", i);
    rows.push_back({silence.id, silences::encode(silence)});
  }
  REQUIRE(store->put_silences(rows));
  Silencing silencing(*store);
  REQUIRE(silencing.restore());
  CHECK(silencing.put(silence_of("alertname=More", 0, 100), 1000).error().code == Errc::limit);
  auto longer = silence_of("alertname=Full", 0, 200);
  longer.id = "s00001";
  CHECK(silencing.put(longer, 1000).value() == "s00001");
  REQUIRE(silencing.expire("s00002", 1000));
  CHECK(silencing.put(silence_of("alertname=More", 0, 100), 2000));
}
