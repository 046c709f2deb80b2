#include "aggregator/head/same_labels.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

namespace {

LabelsPtr named(const std::string& name) {
  return std::make_shared<const Labels>(Labels{{"__name__", name}});
}

HostSlice slice(HostKind kind, const std::vector<std::string>& names) {
  HostSlice made;
  made.kind = kind;
  for (const std::string& name : names) made.series.push_back({0, named(name), {}});
  return made;
}

}  // namespace

TEST_CASE("label sets are looked for twice only where kinds of hosts meet, or rules do") {
  const auto share = [](const std::vector<HostSlice>& slices) { return share_labels(slices); };
  CHECK_FALSE(share({slice(HostKind::agent, {"a"}), slice(HostKind::agent, {"a"})}));
  CHECK_FALSE(share({slice(HostKind::agent, {"a"}), slice(HostKind::remote_write, {"b"})}));
  CHECK(share({slice(HostKind::agent, {"a", "b"}), slice(HostKind::remote_write, {"b"})}));
  CHECK(share({slice(HostKind::rules, {"a"}), slice(HostKind::rules, {"a"})}));
  HostSlice two_forms = slice(HostKind::remote_write, {"a"});
  two_forms.series.push_back(two_forms.series.front());
  CHECK_FALSE(share({two_forms, slice(HostKind::rules, {"b"})}));
}

TEST_CASE("series of one label set become one, of one time the first point counts") {
  std::vector<promql::SelectedSeries> series{
      {named("a"), {{1, 10}, {3, 30}}}, {named("b"), {{1, 1}}}, {named("a"), {{2, 20}, {3, 33}, {4, 40}}}};
  join_same_labels(series);
  REQUIRE(series.size() == 2);
  CHECK(series[0].points == std::vector<promql::Point>{{1, 10}, {2, 20}, {3, 30}, {4, 40}});
  CHECK(series[1].points.size() == 1);
}
