#include "aggregator/ingest/local_intake.h"

#include "aggregator/ingest/local_service.h"
#include "tests/aggregator/ingest/life.h"

#include <cmath>
#include <limits>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::testing;

namespace {

constexpr const char* kHost = "remote_write/web-1:9100";

/// One sample of each of the named series.
LocalWrite write_of(const std::vector<std::pair<Labels, promql::Point>>& samples) {
  LocalWrite write;
  write.host = kHost;
  for (const auto& [labels, point] : samples) {
    write.series.push_back({labels, SeriesType::unknown, 1});
    write.samples.push_back(point);
  }
  return write;
}

Labels named(const std::string& name) {
  return {{"__name__", name}, {"instance", "web-1:9100"}, {"job", "node"}};
}

/// The life of an aggregator with a way for samples that no agent sends.
struct PushLife : Life {
  explicit PushLife(const std::filesystem::path& folder, ShardOptions limits = {})
      : Life(folder, kT0, limits) {}

  void push(const LocalWrite& write, std::int64_t now = kT0) {
    local.write(
        write, [this](const LocalWritten& written) { answers.push_back(written); }, now);
  }
  void commit_pushed() {
    REQUIRE(history->sync());
    const std::lock_guard lock(mutex);
    pending.durable(durable);
    durable.clear();
  }

  PendingWrites pending{StreamId{1, 2, 3}};
  LocalIntake local{shards->at(0), pending};
  std::vector<LocalWritten> answers;
};

}  // namespace

TEST_CASE("a write is answered once it is durable, and its series have the labels they came with") {
  TemporaryFolder folder;
  PushLife life(folder.path());
  life.push(write_of({{named("m0"), {kT0, 1}}, {Labels{{"__name__", "m1"}}, {kT0, 0.5}}}));
  CHECK(life.answers.empty());
  life.commit_pushed();
  REQUIRE(life.answers.size() == 1);
  CHECK(life.answers[0].stored == 2);
  CHECK_FALSE(life.answers[0].failed);
  CHECK(life.values("m0", kHost) == "1 ");
  const auto found = life.host(kHost).head.select(everything_of("m1"), 100);
  REQUIRE(found);
  CHECK(found->at(0).labels->to_string() == "m1");
}

TEST_CASE("nobody judges the presence of a host without an agent") {
  TemporaryFolder folder;
  PushLife life(folder.path());
  life.push(write_of({{named("m0"), {kT0, 1}}}));
  Shard& shard = life.shards->at(0);
  shard.tick(kT0 + 1000);
  CHECK(life.host(kHost).state == HostState::up);
  shard.tick(kT0 + kPushedGoneMs + 1000);
  CHECK(life.host(kHost).state == HostState::left);
  CHECK(life.host(kHost).head.registry().size() == 1);  // no `up`, no vigil_host_state
  life.push(write_of({{named("m0"), {kT0 + 400'000, 2}}}), kT0 + 400'000);
  CHECK(life.host(kHost).state == HostState::up);
}

TEST_CASE("after a kill everything that was answered is there, and goes on under the same ids") {
  TemporaryFolder folder;
  {
    PushLife life(folder.path());
    life.push(write_of({{named("m0"), {kT0, 1}}, {named("m1"), {kT0, 2.5}}}));
    life.push(
        write_of({{named("m0"), {kT0 + 1000, std::nan("")}}, {named("m1"), {kT0 + 1000, stale_marker()}}}));
    life.commit_pushed();
    REQUIRE(life.answers.size() == 2);
  }
  PushLife life(folder.path());
  CHECK(life.summary.undecodable == 0);
  CHECK(life.summary.given_up_streams == 0);
  CHECK(life.values("m0", kHost) == "1 nan ");
  CHECK(life.values("m1", kHost) == "2.5 stale ");
  const std::size_t series = life.host(kHost).head.registry().size();
  life.push(write_of({{named("m1"), {kT0, 2.5}}, {named("m0"), {kT0 + 2000, 3}}}));
  life.commit_pushed();
  CHECK(life.answers.at(0).repeated == 1);
  CHECK(life.answers.at(0).stored == 1);
  CHECK(life.host(kHost).head.registry().size() == series);
  CHECK(life.values("m0", kHost) == "1 nan 3 ");
}

TEST_CASE("what was sealed is not replayed, and what came after it is") {
  TemporaryFolder folder;
  {
    PushLife life(folder.path());
    life.push(write_of({{named("m0"), {kT0, 1}}}));
    life.commit_pushed();
    life.shards->at(0).seal(life.host(kHost), kT0 + 500);
    life.push(write_of({{named("m0"), {kT0 + 1000, 2}}}));
    life.commit_pushed();
    REQUIRE(life.history->tidy());
  }
  PushLife life(folder.path());
  CHECK(life.summary.rows == 1);
  CHECK(life.values("m0", kHost) == "1 2 ");
}

TEST_CASE("two writes of one time that a seal divides are both there") {
  TemporaryFolder folder;
  {
    PushLife life(folder.path());
    life.push(write_of({{named("m0"), {kT0, 1}}, {named("m1"), {kT0, 2}}}));
    life.shards->at(0).seal(life.host(kHost), kT0);
    life.push(write_of({{named("m0"), {kT0, 1}}, {named("m2"), {kT0, 3}}}));
    life.shards->at(0).seal(life.host(kHost), kT0);
    life.push(write_of({{named("m3"), {kT0, 4}}}));
    life.commit_pushed();
    CHECK(life.answers.at(1).repeated == 1);
    life.shards->at(0).seal_all(kT0);
    life.commit_pushed();
  }
  PushLife life(folder.path());
  for (int i = 0; i < 4; ++i) CHECK(life.values(fmt::format("m{}", i), kHost) == fmt::format("{} ", i + 1));
}

TEST_CASE("samples are refused one by one, and the first reason is told") {
  TemporaryFolder folder;
  ShardOptions limits;
  limits.retention_ms = 3'600'000;
  PushLife life(folder.path(), limits);
  LocalWrite write = write_of({{named("m0"), {kT0 - 4'000'000, 1}},
                               {named("m1"), {kT0 + 700'000, 1}},
                               {named("m2"), {kT0, 1}},
                               {named("m2"), {kT0 - 2000, 1}},
                               {named("m2"), {kT0 - 500, 3}},
                               {named("m2"), {kT0, 2}}});
  write.out_of_order_ms = 1000;
  life.push(write);
  life.commit_pushed();
  const LocalWritten& answer = life.answers.at(0);
  CHECK(answer.too_old == 2);
  CHECK(answer.too_new == 1);
  CHECK(answer.stored == 2);
  CHECK(answer.conflicting == 1);
  CHECK_THAT(answer.problem, Catch::Contains("older than what is kept: m0"));
  CHECK(life.values("m2", kHost) == "3 1 ");
}

TEST_CASE("a quota and the limit of known series refuse new series, not those that are known") {
  class Two : public NewSeriesQuota {
   public:
    bool take(std::int64_t /*now_ms*/) override { return left_-- > 0; }
    bool has_room(std::int64_t /*now_ms*/) override { return left_ > 0; }

   private:
    int left_ = 2;
  };
  TemporaryFolder folder;
  PushLife life(folder.path());
  LocalWrite write = write_of({{named("m0"), {kT0, 1}}, {named("m1"), {kT0, 1}}, {named("m2"), {kT0, 1}}});
  write.quota = std::make_shared<Two>();
  life.push(write);
  life.commit_pushed();
  CHECK(life.answers.at(0).stored == 2);
  CHECK(life.answers.at(0).over_limit == 1);
  life.push(write_of({{named("m0"), {kT0 + 1, 1}}, {named("m1"), {kT0 + 1, 1}}}));
  life.commit_pushed();
  CHECK(life.answers.at(1).stored == 2);
  // Nothing can be stored of it: no host begins.
  write.host = "remote_write/other";
  life.push(write);
  CHECK(life.answers.at(2).over_limit == 3);
  CHECK_THAT(life.answers.at(2).problem, Catch::Contains("too many new series"));
  CHECK(life.shards->at(0).find("remote_write/other") == nullptr);
}

TEST_CASE("series that begin together share a source, others do not") {
  TemporaryFolder folder;
  PushLife life(folder.path());
  life.push(write_of({{named("m0"), {kT0, 1}}, {named("m1"), {kT0, 1}}}));
  life.push(write_of({{named("m2"), {kT0, 1}}, {named("m3"), {kT0 + 7, 1}}, {named("m4"), {kT0 + 7, 1}}}));
  const auto& pushed = life.host(kHost).pushed;
  REQUIRE(pushed.size() == 5);
  CHECK(pushed[0].source == pushed[1].source);
  CHECK(pushed[0].source == pushed[2].source);
  CHECK(pushed[3].source == pushed[4].source);
  CHECK(pushed[0].source != pushed[3].source);
}

TEST_CASE("who waits for a disk that does not come back is told after a while") {
  std::vector<LocalWritten> answers;
  PendingWrites pending(StreamId{1});
  pending.add(
      0, 1, [&](const LocalWritten& written) { answers.push_back(written); }, kT0);
  pending.settle(0, 1, {});
  pending.give_up(kT0 + PendingWrites::kPatienceMs - 1);
  CHECK(answers.empty());
  pending.give_up(kT0 + PendingWrites::kPatienceMs);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].failed->code == Errc::unavailable);
  const DurableBatch batch{0, StreamId{1}, 1};
  pending.durable({&batch, 1});
  CHECK(answers.size() == 1);
}

TEST_CASE("values keep every bit, with as few digits as they need") {
  const SeriesForm least{SeriesType::gauge, Encoding::sparse_decimal, 0};
  const auto check = [&](double value, Encoding encoding, int scale) {
    const SeriesForm form = form_for(value, least);
    CHECK(form.encoding == encoding);
    CHECK(form.scale == scale);
    const auto raw = raw_of(value, form);
    REQUIRE(raw);
    const double back = to_double(*raw, form.encoding, form.scale);
    CHECK(std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(value));
  };
  check(0, Encoding::sparse_decimal, 0);
  check(-3, Encoding::sparse_decimal, 0);
  check(9e15, Encoding::sparse_decimal, 0);
  check(0.5, Encoding::sparse_decimal, 3);
  check(1'700'000'000.123, Encoding::sparse_decimal, 3);
  check(0.000001, Encoding::sparse_decimal, 6);
  check(stale_marker(), Encoding::sparse_decimal, 0);
  check(1.0 / 3, Encoding::sparse_float64, 0);
  check(-0.0, Encoding::sparse_float64, 0);
  check(1e300, Encoding::sparse_float64, 0);
  check(std::numeric_limits<double>::infinity(), Encoding::sparse_float64, 0);
  check(std::numeric_limits<double>::quiet_NaN(), Encoding::sparse_float64, 0);
}

TEST_CASE("journalled rows come back as they were, and no prefix of them is mistaken for rows") {
  const std::vector<HostHead::Cell> cells{{3, 1}, {4, kEnded}, {9, raw_from_double(0.1)}, {9, -5}};
  const std::vector<LocalRow> rows{{1, kT0, cells}, {2, kT0 - 5, std::span(cells).first(1)}};
  const std::string bytes = encode_rows(rows);
  const auto decoded = decode_rows(bytes);
  REQUIRE(decoded);
  REQUIRE(decoded->size() == 2);
  CHECK(decoded->at(0).time_ms == kT0);
  CHECK(decoded->at(1).source == 2);
  REQUIRE(decoded->at(0).cells.size() == 4);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    CHECK(decoded->at(0).cells[i].series == cells[i].series);
    CHECK(decoded->at(0).cells[i].raw == cells[i].raw);
  }
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    const auto part = decode_rows(std::string_view(bytes).substr(0, length));
    if (part) CHECK(part->size() == 1);
  }
}
