#include "aggregator/head/host_head.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kT0 = 1'700'000'000'000;
constexpr std::uint32_t kSource = 1;

/// A head with the series a, b and c (ids 0, 1, 2).
HostHead make_head(HeadOptions options = {}) {
  SeriesRegistry registry("web-1", {});
  SeriesId id = 0;
  for (const char* name : {"a", "b", "c"}) {
    registry.add(id++, registry.full_labels("node", {name, {}, SeriesType::gauge, Encoding::decimal, 0}),
                 {SeriesType::gauge, Encoding::decimal, 0});
  }
  return {7, std::move(registry), options};
}

promql::Selection named(const std::string& name, std::int64_t start = 0, std::int64_t end = kT0 * 2) {
  return {{*promql::Matcher::create(promql::MatchOp::equal, "__name__", name)}, start, end};
}

std::string print(const std::vector<promql::SelectedSeries>& found) {
  std::string text;
  for (const auto& series : found) {
    text += std::string(series.labels->get("__name__")) + " ";
    for (const auto& point : series.points) {
      text += is_stale(point.v) ? fmt::format("{}:stale ", point.t_ms - kT0)
                                : fmt::format("{}:{} ", point.t_ms - kT0, point.v);
    }
  }
  return text;
}

/// What rules see and what query threads see must be the same.
std::string look(HostHead& head, const promql::Selection& selection) {
  const auto direct = head.select(selection, 1'000'000);
  REQUIRE(direct);
  std::vector<promql::SelectedSeries> sliced;
  REQUIRE(
      read_slice(head.slice(selection), nullptr, {selection.start_ms, selection.end_ms, 1'000'000}, sliced));
  CHECK(print(*direct) == print(sliced));
  return print(*direct);
}

void row(HostHead& head, std::int64_t offset, std::vector<std::int64_t> values) {
  head.append(kSource, kT0 + offset, values);
}

}  // namespace

TEST_CASE("series of an agent that left end at once, those the aggregator itself writes go on") {
  constexpr std::uint32_t kOwn = 0;
  HostHead head = make_head();
  head.set_columns(kOwn, {"vigil", 1000}, {1});
  head.set_columns(kSource, {"node", 1000}, {0});
  head.append(kOwn, kT0, std::vector<std::int64_t>{5});
  row(head, 0, {10});
  CHECK(head.active_series() == 2);
  head.end_series(kOwn + 1);
  CHECK(head.active_series() == 1);
  CHECK(look(head, named("a")) == "a 0:10 1:stale ");
  head.append(kOwn, kT0 + 1000, std::vector<std::int64_t>{6});
  CHECK(look(head, named("b")) == "b 0:5 1000:6 ");
  head.set_columns(kSource, {"node", 1000}, {0});
  row(head, 4000, {11});
  CHECK(look(head, named("a")) == "a 0:10 1:stale 4000:11 ");
}

TEST_CASE("rows are seen while open, after sealing, and across both") {
  HostHead head = make_head();
  head.set_columns(kSource, {"node", 1000}, {0, 1});
  row(head, 0, {10, 20});
  row(head, 1000, {11, 21});
  CHECK(look(head, named("a")) == "a 0:10 1000:11 ");
  const auto parts = head.seal(kT0 + 2000);
  REQUIRE(parts.size() == 1);
  CHECK(parts[0].source == SourceKey{"node", 1000});
  CHECK(parts[0].block->rows() == 2);
  CHECK(head.seal(kT0 + 2000).empty());
  CHECK(look(head, named("b")) == "b 0:20 1000:21 ");
  row(head, 2000, {12, 22});
  CHECK(look(head, named("a")) == "a 0:10 1000:11 2000:12 ");
  CHECK(look(head, named("a", kT0 + 1000, kT0 + 1999)) == "a 1000:11 ");
  CHECK(look(head, named("c")).empty());
}

TEST_CASE("a series that is gone from its source ends with the next row, sealed or not") {
  const bool sealed_between = GENERATE(false, true);
  HostHead head = make_head();
  head.set_columns(kSource, {"node", 1000}, {0, 1});
  row(head, 0, {10, 20});
  if (sealed_between) head.seal(kT0 + 1);
  head.set_columns(kSource, {"node", 1000}, {2, 0});
  row(head, 1000, {30, 11});
  row(head, 2000, {31, 12});
  CHECK(look(head, named("b")) == "b 0:20 1000:stale ");
  CHECK(look(head, named("a")) == "a 0:10 1000:11 2000:12 ");
  CHECK(look(head, named("c")) == "c 1000:30 2000:31 ");
  head.seal(kT0 + 3000);
  row(head, 3000, {32, 13});
  CHECK(look(head, named("b")) == "b 0:20 1000:stale ");
  CHECK(head.seal(kT0 + 4000).front().block->series().size() == 2);  // the ended column is not carried on
}

TEST_CASE("columns that change twice before a row lose no end") {
  HostHead head = make_head();
  head.set_columns(kSource, {"node", 1000}, {0, 1});
  row(head, 0, {10, 20});
  head.set_columns(kSource, {"node", 1000}, {0});
  head.set_columns(kSource, {"node", 1000}, {2});
  row(head, 1000, {30});
  CHECK(look(head, named("a")) == "a 0:10 1000:stale ");
  CHECK(look(head, named("b")) == "b 0:20 1000:stale ");
}

TEST_CASE("a source whose last series ended says so although no row will come") {
  HostHead head = make_head();
  head.set_columns(kSource, {"container", 1000}, {0});
  row(head, 0, {10});
  head.set_columns(kSource, {"container", 1000}, {});
  CHECK(look(head, named("a")) == "a 0:10 1:stale ");
}

TEST_CASE("declaring the same columns again changes nothing") {
  HostHead head = make_head();
  head.set_columns(kSource, {"node", 1000}, {0, 1});
  row(head, 0, {10, 20});
  head.set_columns(kSource, {"node", 1000}, {0, 1});
  row(head, 1000, {11, 21});
  CHECK(head.seal(kT0 + 2000).size() == 1);
}

TEST_CASE("a clock set back begins a new block, and a time that repeats keeps its first value") {
  HostHead head = make_head();
  head.set_columns(kSource, {"node", 1000}, {0});
  row(head, 0, {10});
  row(head, 1000, {11});
  row(head, 0, {99});
  row(head, 500, {12});
  CHECK(look(head, named("a")) == "a 0:10 500:12 1000:11 ");
  CHECK(head.seal(kT0 + 2000).size() == 2);
}

TEST_CASE("a block spans at most two slots, whatever an agent sends") {
  HostHead head = make_head({10'000, 60'000});
  head.set_columns(kSource, {"node", 1000}, {0});
  for (std::int64_t t = 0; t <= 100'000; t += 1000) row(head, t, {t});
  const auto parts = head.seal(kT0 + 100'000);
  CHECK(parts.size() == 5);
  for (const auto& part : parts) CHECK(part.block->last_ms() - part.block->first_ms() <= 20'000);
}

TEST_CASE("a slot ends once a slot, at the host's own phase") {
  HostHead head = make_head({120'000, 900'000});
  head.set_columns(kSource, {"node", 1000}, {0});
  int seals = 0;
  for (std::int64_t now = kT0; now < kT0 + 1'200'000; now += 1000) {
    row(head, now - kT0, {1});
    if (!head.seal_due(now)) continue;
    ++seals;
    CHECK(head.seal(now).size() == 1);
  }
  CHECK(seals == 10);
}

TEST_CASE("what leaves the window is looked for in the history, and what was not handed over stays") {
  HostHead head = make_head({10'000, 20'000});
  head.set_columns(kSource, {"node", 1000}, {0});
  row(head, 0, {1});
  head.seal(kT0);
  row(head, 5000, {2});
  head.evict(kT0 + 20'001);
  CHECK(look(head, named("a")) == "a 5000:2 ");
  CHECK(head.slice(named("a")).complete_from_ms == kT0 + 1);
  row(head, 4000, {3});  // closes the block with row 5000, which nobody has taken yet
  head.evict(kT0 + 100'000);
  CHECK(look(head, named("a")) == "a 4000:3 5000:2 ");
  CHECK(head.seal(kT0 + 100'000).size() == 2);
}

TEST_CASE("blocks read back after a start are seen, but not handed over again") {
  HostHead before = make_head();
  before.set_columns(kSource, {"node", 1000}, {0});
  before.append(kSource, kT0, std::vector<std::int64_t>{10});
  const auto parts = before.seal(kT0);
  HostHead head = make_head();
  head.set_columns(kSource, {"node", 1000}, {0});
  row(head, 1000, {11});
  head.adopt({parts[0].block}, kT0 - 900'000);
  CHECK(look(head, named("a")) == "a 0:10 1000:11 ");
  CHECK(head.seal(kT0 + 2000).size() == 1);
  CHECK(head.slice(named("a")).complete_from_ms == kT0 - 900'000);
}

TEST_CASE("a query that would load too much is refused") {
  HostHead head = make_head();
  head.set_columns(kSource, {"node", 1000}, {0});
  for (std::int64_t t = 0; t < 100; ++t) row(head, t, {1});
  const auto found = head.select(named("a"), 99);
  REQUIRE_FALSE(found);
  CHECK(found.error().code == Errc::limit);
}

TEST_CASE("the newest value alone comes from the open row, and the long way where it is not there") {
  HostHead head = make_head();
  head.set_columns(kSource, {"node", 1000}, {0, 1});
  row(head, 0, {10, 20});
  row(head, 1000, {11, kAbsent});
  promql::Selection a = named("a");
  a.need = promql::Need::last_point;
  CHECK(look(head, a) == "a 1000:11 ");
  promql::Selection b = named("b");
  b.need = promql::Need::last_point;
  CHECK(look(head, b) == "b 0:20 1000:stale ");
  a.end_ms = kT0 + 500;
  CHECK(look(head, a) == "a 0:10 ");
  head.seal(kT0 + 2000);
  a.end_ms = kT0 * 2;
  CHECK(look(head, a) == "a 0:10 1000:11 ");
}

TEST_CASE("late rows have blocks of their own: live ones are not cut, and rules see none of it") {
  HostHead head = make_head();
  const std::uint32_t late = source_number(kLateLane, kSource);
  head.set_columns(kSource, {"node", 1000}, {0, 1});
  row(head, 0, {10, 20});
  row(head, 60'000, {70, 80});
  head.set_columns(late, {"node+late", 1000}, {0, 2});
  for (const std::int64_t t : {1000, 2000}) {
    head.append(late, kT0 + t, std::vector<std::int64_t>{t / 1000, 5});
    row(head, 60'000 + t, {71, 81});
  }
  CHECK(look(head, named("a")) == "a 0:10 1000:1 2000:2 60000:70 61000:71 62000:71 ");
  CHECK(look(head, named("c")) == "c 1000:5 2000:5 ");
  const auto seen_by_rules = head.select(named("a"), 100, LateRows::hidden);
  CHECK(print(*seen_by_rules) == "a 0:10 60000:70 61000:71 62000:71 ");
  CHECK(head.select(named("c"), 100, LateRows::hidden)->empty());
  CHECK(head.slice(named("c"), LateRows::hidden).open.empty());
  CHECK(head.newest_ms(kLiveLane) == kT0 + 62'000);
  CHECK(head.active_series() == 2);
  CHECK_FALSE(head.late_seal_due());
  const auto late_parts = head.seal_late();
  REQUIRE(late_parts.size() == 1);
  CHECK(late_parts[0].block->last_ms() == kT0 + 2000);
  CHECK(head.select(named("c"), 100, LateRows::hidden)->empty());  // sealed as well
  const auto parts = head.seal(kT0 + 70'000);
  REQUIRE(parts.size() == 1);
  CHECK(parts[0].block->rows() == 4);
}

TEST_CASE("at the end of late rows a series ends that no live source has, the others go on") {
  HostHead head = make_head();
  const std::uint32_t late = source_number(kLateLane, kSource);
  head.set_columns(kSource, {"node", 1000}, {0});
  row(head, 10'000, {10});
  head.set_columns(late, {"node+late", 1000}, {0, 2});
  head.append(late, kT0 + 9000, std::vector<std::int64_t>{9, 5});
  head.end_lane(kLateLane);
  CHECK(look(head, named("a")) == "a 9000:9 10000:10 ");
  CHECK(look(head, named("c")) == "c 9000:5 9001:stale ");
  CHECK(head.newest_ms(kLateLane) == 0);
  CHECK(head.seal_late().size() == 2);
}

TEST_CASE("late rows older than the window are stored and then forgotten") {
  HostHead head = make_head();
  const std::uint32_t late = source_number(kLateLane, kSource);
  head.set_columns(late, {"node+late", 1000}, {0});
  for (std::int64_t s = 0; s < 600; ++s) head.append(late, kT0 + s * 1000, std::vector<std::int64_t>{s * s});
  const std::int64_t now = kT0 + 3'600'000;
  head.evict(now);
  CHECK(head.slice(named("a")).blocks.size() == 2);  // not stored yet
  CHECK(head.seal_late().size() == 3);
  head.evict(now);
  CHECK(head.slice(named("a")).blocks.empty());
  CHECK(head.slice(named("a")).complete_from_ms == kT0 + 599'001);
}

TEST_CASE("after a replay the lane of the newest rows becomes the live one") {
  HostHead head = make_head();
  head.set_columns(source_number(2, kSource), {"node+late", 1000}, {0, 2});
  head.append(source_number(2, kSource), kT0, std::vector<std::int64_t>{1, 2});
  head.set_columns(source_number(3, kSource), {"node+late", 1000}, {0});
  head.append(source_number(3, kSource), kT0 + 1000, std::vector<std::int64_t>{3});
  head.make_live(3);
  head.end_lane(2);
  CHECK(head.active_series() == 1);
  row(head, 2000, {4});
  CHECK(look(head, named("a")) == "a 0:1 1000:3 2000:4 ");
  CHECK(look(head, named("c")) == "c 0:2 1:stale ");
}
