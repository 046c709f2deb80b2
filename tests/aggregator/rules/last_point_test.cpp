// Rules ask a host's head for last values only: the short way must give what the long way gives.
#include "aggregator/head/host_head.h"
#include "aggregator/promql/parser.h"
#include "tests/support/catch.h"

#include <algorithm>

using namespace vigil;
using namespace vigil::aggregator;

namespace {

/// A head with series a and b of a fast source and c of a slow one; b ends half-way.
HostHead make_head(std::int64_t until_ms) {
  HostHead head(1, SeriesRegistry("web", {}), {});
  SeriesId id = 0;
  for (const char* name : {"a", "b", "c"}) {
    const SeriesSpec spec{name, {}, SeriesType::gauge, Encoding::decimal, 1};
    head.registry().add(id++, head.registry().full_labels("node", spec),
                        {spec.type, spec.encoding, spec.scale});
  }
  head.set_columns(1, {"node", 1000}, {0, 1});
  head.set_columns(2, {"slow", 30000}, {2});
  for (std::int64_t t = 1'000; t <= until_ms; t += 1'000) {
    const std::int64_t row[] = {t / 100, t <= 200'000 ? t / 50 : kAbsent};
    head.append(1, t, row);
    if (t % 30'000 == 0) head.append(2, t, std::span(row, 1));
    if (head.seal_due(t)) static_cast<void>(head.seal(t));
  }
  return head;
}

std::vector<std::pair<std::string, promql::Point>> last_values(HostHead& head, promql::Need need,
                                                               std::int64_t t_ms) {
  std::vector<std::pair<std::string, promql::Point>> out;
  const auto selector = promql::parse_selector("{instance=\"web\"}");
  const auto series = head.select({selector->matchers, t_ms - 299'999, t_ms, need}, 1'000'000);
  REQUIRE(series);
  for (const auto& one : *series) out.emplace_back(one.labels->to_string(), one.points.back());
  std::sort(out.begin(), out.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
  return out;
}

}  // namespace

TEST_CASE("The last value of every series is the same whether all points are read or only the newest") {
  for (const std::int64_t until : {5'000, 30'000, 119'000, 121'000, 199'000, 201'000, 260'000, 600'000}) {
    HostHead head = make_head(until);
    for (const std::int64_t t : {until, until + 1'500, until - 1'000}) {
      CAPTURE(until, t);
      const auto all = last_values(head, promql::Need::every_point, t);
      const auto newest = last_values(head, promql::Need::last_point, t);
      REQUIRE(all.size() == newest.size());
      for (std::size_t i = 0; i < all.size(); ++i) {
        CAPTURE(all[i].first);
        CHECK(all[i].first == newest[i].first);
        CHECK(all[i].second.t_ms == newest[i].second.t_ms);
        CHECK((all[i].second.v == newest[i].second.v ||
               (is_stale(all[i].second.v) && is_stale(newest[i].second.v))));
      }
    }
  }
}
