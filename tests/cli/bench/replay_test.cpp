#include "cli/bench/replay.h"

#include "common/wire/rows.h"
#include "common/wire/schema.h"
#include "tests/support/catch.h"
#include "vigil/v1/ingest.pb.h"

#include <set>

namespace vigil::cli {
namespace {

Trace small_trace() {
  Trace trace;
  trace.name = "small";
  for (const char* name : {"rises", "swings", "has.hole"}) {
    trace.series.emplace_back();
    trace.series.back().name = name;
  }
  trace.rows = {{10, 5, 1}, {12, -5, kAbsent}, {12, 7, 1}, {20, 6, 1}};
  trace.times_ms = {1000, 2000, 3000, 4000};
  return trace;
}

v1::AgentMessage parsed(const std::string& bytes) {
  v1::AgentMessage message;
  REQUIRE(message.ParseFromString(bytes));
  return message;
}

}  // namespace

TEST_CASE("batches of a replay decode to its values, over keyframes and the trace's end") {
  const Replay replay = *Replay::create(synthetic_trace(7, 20), 20);
  wire::RowDecoder decoder(20);
  wire::DecodedRows decoded;
  std::uint64_t row = 3;
  std::int64_t time_ms = 1'700'000'000'000;
  for (std::uint64_t seq = 1; seq <= 10; ++seq) {
    const bool keyframe = seq % 4 == 1;
    const auto message = parsed(replay.batch({seq, keyframe, row, 3, time_ms, 250}));
    REQUIRE(message.batch().seq() == seq);
    REQUIRE(message.batch().keyframe() == keyframe);
    const v1::Rows& rows = message.batch().sources(0);
    CHECK(rows.source_id() == 1);
    CHECK(rows.schema_version() == 1);
    if (keyframe) decoder.start_over();
    REQUIRE(decoder.decode(rows, decoded));
    REQUIRE(decoded.times_ms == std::vector<std::int64_t>{time_ms, time_ms + 250, time_ms + 500});
    for (std::size_t i = 0; i < decoded.values.size(); ++i)
      REQUIRE(decoded.values[i] == replay.value(row + i / 20, i % 20));
    row += 3;
    time_ms += 750;
  }
}

TEST_CASE("a replay leaves out columns with holes, and its counters never fall") {
  const Replay replay = *Replay::create(small_trace(), 2);
  CHECK(replay.left_out() == 1);
  CHECK(replay.trace() == "small");
  std::int64_t before = 0;
  for (std::uint64_t row = 0; row < 20; ++row) {
    CHECK(replay.value(row, 0) >= before);
    before = replay.value(row, 0);
  }
  CHECK(replay.value(4, 0) == 20);  // goes on where it ended
  CHECK(replay.value(5, 0) == 22);
  CHECK(replay.value(5, 1) == -5);  // begins anew
}

TEST_CASE("a replay of more series than the trace has holds shifted copies, all under names of their own") {
  const Replay replay = *Replay::create(small_trace(), 6);
  const auto schema = wire::from_wire(parsed(replay.schema(1000)).schema());
  REQUIRE(schema);
  CHECK(schema->series.size() == 6);
  CHECK(schema->series[0].name == "bench_rises");
  std::set<std::string> series;
  for (const SeriesSpec& spec : replay.series()) series.insert(spec.labels.to_string());
  CHECK(series.size() == 6);
  std::int64_t before = 0;
  for (std::uint64_t row = 0; row < 20; ++row) {
    CHECK(replay.value(row, 2) >= before);
    before = replay.value(row, 2);
  }
  CHECK(replay.value(0, 2) != replay.value(0, 0));
}

TEST_CASE("a replay of fewer series takes them from all over the trace") {
  const Replay replay = *Replay::create(synthetic_trace(10, 100), 10);
  std::set<std::string> names;
  for (const SeriesSpec& spec : replay.series()) names.insert(spec.name);
  CHECK(names.size() == 1);  // every tenth column is a noisy counter
  CHECK(Replay::create(synthetic_trace(10, 100), 30)->series()[29].name == "bench_slow");
}

TEST_CASE("a replay of nothing is refused") {
  CHECK_FALSE(Replay::create(small_trace(), 0));
  CHECK_FALSE(Replay::create(small_trace(), 5001));
  Trace holes = small_trace();
  for (auto& row : holes.rows) row.assign(3, kAbsent);
  CHECK_FALSE(Replay::create(holes, 1));
}

}  // namespace vigil::cli
