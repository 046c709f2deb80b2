#include "aggregator/head/host_head.h"
#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kT0 = 1'700'000'000'000;
constexpr std::uint32_t kSource = 1;
constexpr SeriesForm kDecimal{SeriesType::gauge, Encoding::sparse_decimal, 0};
constexpr SeriesForm kFloat{SeriesType::gauge, Encoding::sparse_float64, 0};

/// A head of a host without an agent, with the series a, b and c (ids 0, 1, 2).
HostHead make_head(HeadOptions options = {}) {
  SeriesRegistry registry("remote_write/web-1", {});
  SeriesId id = 0;
  for (const char* name : {"a", "b", "c"}) registry.add(id++, Labels{{"__name__", name}}, kDecimal);
  return {7, std::move(registry), options};
}

promql::Selection named(const std::string& name) {
  return {{*promql::Matcher::create(promql::MatchOp::equal, "__name__", name)}, 0, kT0 * 2};
}

std::string look(HostHead& head, const std::string& name) {
  const auto direct = head.select(named(name), 1'000'000);
  REQUIRE(direct);
  std::string text;
  for (const auto& series : *direct) {
    for (const auto& point : series.points)
      text += is_stale(point.v) ? fmt::format("{}:stale ", point.t_ms - kT0)
                                : fmt::format("{}:{} ", point.t_ms - kT0, point.v);
  }
  return text;
}

HostHead::PutCounts put(HostHead& head, std::int64_t offset, std::vector<HostHead::Cell> cells) {
  return head.put(kSource, kT0 + offset, cells);
}

}  // namespace

TEST_CASE("a row that comes in two pieces is one row, and what is missing of it says nothing") {
  HostHead head = make_head();
  put(head, 0, {{0, 1}, {1, 2}});
  put(head, 0, {{2, 3}});
  put(head, 1000, {{1, 5}});
  CHECK(look(head, "a") == "0:1 ");
  CHECK(look(head, "b") == "0:2 1000:5 ");
  CHECK(look(head, "c") == "0:3 ");
  head.seal(kT0 + 2000);
  CHECK(look(head, "a") == "0:1 ");
  CHECK(look(head, "b") == "0:2 1000:5 ");
}

TEST_CASE("what ends a series is a marker of its own") {
  HostHead head = make_head();
  put(head, 0, {{0, 1}, {1, 2}});
  put(head, 1000, {{0, kEnded}, {1, 3}});
  CHECK(look(head, "a") == "0:1 1000:stale ");
  CHECK(look(head, "b") == "0:2 1000:3 ");
}

TEST_CASE("rows may come in any order within the open block") {
  HostHead head = make_head();
  put(head, 3000, {{0, 3}});
  put(head, 5000, {{0, 5}});
  put(head, 4000, {{0, 4}, {1, 7}});
  put(head, 6000, {{0, 1LL << 40}});  // too wide for a narrow cell
  CHECK(look(head, "a") == "3000:3 4000:4 5000:5 6000:1099511627776 ");
  CHECK(look(head, "b") == "4000:7 ");
}

TEST_CASE("a sample that comes again is stored once, and of two values the first stays") {
  HostHead head = make_head();
  CHECK(put(head, 0, {{0, 1}}).stored == 1);
  CHECK(put(head, 0, {{0, 1}}).repeated == 1);
  const auto other = put(head, 0, {{0, 2}});
  CHECK(other.conflicting == 1);
  CHECK(other.conflict == SeriesId{0});
  CHECK(look(head, "a") == "0:1 ");
  SECTION("also when it is in a closed block") {
    head.seal(kT0 + 1000);
    CHECK(put(head, 0, {{0, 1}}).repeated == 1);
    CHECK(put(head, 0, {{0, 2}, {1, 8}}).conflicting == 1);
    CHECK(look(head, "a") == "0:1 ");
    CHECK(look(head, "b") == "0:8 ");
  }
}

TEST_CASE("what is older than the open block goes beside it, in any order") {
  HostHead head = make_head();
  put(head, 100'000, {{0, 100}});
  head.seal(kT0 + 101'000);
  put(head, 200'000, {{0, 200}});
  put(head, 50'000, {{0, 50}});
  put(head, 40'000, {{0, 40}});
  put(head, -10'000'000, {{0, 1}});
  put(head, 45'000, {{0, 45}});
  CHECK(look(head, "a") == "-10000000:1 40000:40 45000:45 50000:50 100000:100 200000:200 ");
  const auto parts = head.seal(kT0 + 300'000);
  CHECK(look(head, "a") == "-10000000:1 40000:40 45000:45 50000:50 100000:100 200000:200 ");
  for (const SealedPart& part : parts) CHECK(part.source.job.starts_with("remote_write#1"));
}

TEST_CASE("a series without values in a block is no column of the next one") {
  HostHead head = make_head();
  put(head, 0, {{0, 1}, {1, 2}, {2, 3}});
  put(head, 1000, {{0, 1}});
  head.seal(kT0 + 2000);
  put(head, 3000, {{0, 2}});
  CHECK(head.extent(kSource).columns == 3);  // those of the block before
  head.seal(kT0 + 4000);
  CHECK(head.extent(kSource).columns == 1);
  put(head, 5000, {{1, 9}});
  CHECK(head.extent(kSource).columns == 2);
  CHECK(look(head, "b") == "0:2 5000:9 ");
}

TEST_CASE("two forms of one series are one series") {
  HostHead head = make_head();
  head.registry().add(3, Labels{{"__name__", "a"}}, kFloat);
  CHECK(head.registry().newest(Labels{{"__name__", "a"}}) == SeriesId{3});
  put(head, 0, {{0, 1}});
  put(head, 1000, {{3, raw_from_double(0.1)}});
  put(head, 2000, {{3, raw_from_double(stale_marker())}});
  CHECK(look(head, "a") == "0:1 1000:0.1 2000:stale ");
}
