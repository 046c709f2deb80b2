#include "aggregator/head/series_registry.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

namespace {

promql::Matcher matcher(promql::MatchOp op, const std::string& name, const std::string& value) {
  return *promql::Matcher::create(op, name, value);
}

SeriesSpec spec(const std::string& name, Labels labels = {}) {
  return {name, std::move(labels), SeriesType::gauge, Encoding::decimal, 0};
}

SeriesRegistry filled() {
  SeriesRegistry registry("web-1", {{"env", "prod"}});
  SeriesId id = 0;
  for (const SeriesSpec& each :
       {spec("load"), spec("cpu", {{"mode", "idle"}}), spec("cpu", {{"mode", "user"}})}) {
    registry.add(id++, registry.full_labels("node", each), {each.type, each.encoding, each.scale});
  }
  return registry;
}

}  // namespace

TEST_CASE(
    "a series carries instance, job and the host's labels; what the sender called so is kept as exported") {
  const SeriesRegistry registry("web-1", {{"env", "prod"}});
  CHECK(registry.full_labels("node", spec("load", {{"core", "0"}})).to_string() ==
        "load{core=\"0\", env=\"prod\", instance=\"web-1\", job=\"node\"}");
  const Labels full = registry.full_labels("node", spec("load", {{"instance", "other"}, {"env", "test"}}));
  CHECK(full.get("instance") == "web-1");
  CHECK(full.get("exported_instance") == "other");
  CHECK(full.get("env") == "prod");
  CHECK(full.get("exported_env") == "test");
}

TEST_CASE("matchers select by name, by label, by instance and by negation") {
  using enum promql::MatchOp;
  const SeriesRegistry registry = filled();
  const auto match = [&](std::vector<promql::Matcher> matchers) { return registry.matching(matchers); };
  CHECK(match({matcher(equal, "__name__", "cpu")}) == std::vector<SeriesId>{1, 2});
  CHECK(match({matcher(equal, "__name__", "cpu"), matcher(not_equal, "mode", "idle")}) ==
        std::vector<SeriesId>{2});
  CHECK(match({matcher(regex, "__name__", "c.*|load")}) == std::vector<SeriesId>{0, 1, 2});
  CHECK(match({matcher(equal, "mode", "")}) == std::vector<SeriesId>{0});
  CHECK(match({matcher(equal, "instance", "web-2")}).empty());
  CHECK(match({matcher(equal, "job", "node"), matcher(regex, "mode", "i.*")}) == std::vector<SeriesId>{1});
  CHECK(match({}) == std::vector<SeriesId>{0, 1, 2});
  CHECK_FALSE(registry.may_match(std::vector{matcher(regex, "instance", "db-.*")}));
}

TEST_CASE("a changed scale is another id of the same label set") {
  SeriesRegistry registry = filled();
  const Labels full = registry.full_labels("node", spec("load"));
  CHECK(registry.find(full, {SeriesType::gauge, Encoding::decimal, 0}) == 0U);
  CHECK_FALSE(registry.find(full, {SeriesType::gauge, Encoding::decimal, 2}));
  registry.add(3, full, {SeriesType::gauge, Encoding::decimal, 2});
  CHECK(registry.find(full, {SeriesType::gauge, Encoding::decimal, 2}) == 3U);
  CHECK(registry.at(3)->labels.get() == registry.at(0)->labels.get());
}

TEST_CASE("other host labels give every series its new set and bring back what was exported") {
  SeriesRegistry registry("web-1", {{"env", "prod"}});
  registry.add(0, registry.full_labels("node", spec("load", {{"env", "own"}})), {});
  const SeriesRegistry changed = registry.relabelled({{"rack", "7"}});
  CHECK(changed.at(0)->labels->to_string() ==
        "load{env=\"own\", instance=\"web-1\", job=\"node\", rack=\"7\"}");
  CHECK(changed.size() == 1);
}

TEST_CASE("of thousands of series each is found by its labels, its name and its order") {
  SeriesRegistry registry("web-1", {});
  constexpr SeriesId kSeries = 5000;
  const auto spec_of = [](SeriesId id) {
    return spec("metric_" + std::to_string(id % 70), {{"part", std::to_string(id)}});
  };
  for (SeriesId i = 0; i < kSeries; ++i) {
    const SeriesId id = i * 1237 % kSeries;  // any order
    registry.add(id, registry.full_labels("node", spec_of(id)), {SeriesType::gauge, Encoding::decimal, 0});
  }
  CHECK(registry.size() == kSeries);
  for (SeriesId id = 0; id < kSeries; ++id) {
    const Labels full = registry.full_labels("node", spec_of(id));
    REQUIRE(registry.find(full, {SeriesType::gauge, Encoding::decimal, 0}) == id);
    REQUIRE_FALSE(registry.find(full, {SeriesType::gauge, Encoding::decimal, 1}));
  }
  const auto named = registry.matching(std::vector{matcher(promql::MatchOp::equal, "__name__", "metric_69")});
  REQUIRE(named.size() == 71);
  for (std::size_t i = 0; i < named.size(); ++i) REQUIRE(named[i] == 69 + 70 * i);
  CHECK(registry.matching(std::vector{matcher(promql::MatchOp::equal, "__name__", "metric_70")}).empty());
}

TEST_CASE("looking for series ends with its budget") {
  SeriesRegistry registry("web", {});
  for (SeriesId id = 0; id < 1000; ++id)
    registry.add(id, Labels{{"__name__", "m"}, {"instance", "web"}, {"i", std::to_string(id)}}, {});
  MatchBudget spent(std::chrono::nanoseconds(-1));
  CHECK(registry.matching({}, spent).size() < 1000);
  CHECK(spent.is_spent());
  MatchBudget enough(std::chrono::minutes(1));
  CHECK(registry.matching({}, enough).size() == 1000);
  CHECK_FALSE(enough.is_spent());
}

TEST_CASE("series leave, the others are found as before, and ids go on above all there ever were") {
  SeriesRegistry registry("web-1", {});
  constexpr SeriesId kSeries = 5000;
  const SeriesForm form{SeriesType::gauge, Encoding::decimal, 0};
  const auto spec_of = [](SeriesId id) {
    return spec("metric_" + std::to_string(id % 70), {{"part", std::to_string(id)}});
  };
  for (SeriesId id = 0; id < kSeries; ++id) registry.add(id, registry.full_labels("node", spec_of(id)), form);
  const std::weak_ptr<const Labels> left = registry.at(4999)->labels;
  const std::weak_ptr<const Labels> stays = registry.at(3000)->labels;
  const auto stay = [](SeriesId id) { return id % 70 != 69 && (id % 3 == 0 || id % 70 == 5); };
  std::vector<SeriesId> leaving;
  for (SeriesId id = 0; id < kSeries; ++id)
    if (!stay(id)) leaving.push_back(id);
  registry.remove(leaving);

  CHECK(registry.size() == kSeries - leaving.size());
  CHECK(registry.next_id() == kSeries);
  CHECK(left.expired());
  CHECK_FALSE(stays.expired());
  for (SeriesId id = 0; id < kSeries; ++id) {
    const Labels full = registry.full_labels("node", spec_of(id));
    REQUIRE(registry.find(full, form).has_value() == stay(id));
    REQUIRE((registry.at(id) != nullptr) == stay(id));
  }
  for (SeriesId name = 0; name < 70; ++name) {
    std::vector<SeriesId> expected;
    for (SeriesId id = name; id < kSeries; id += 70)
      if (stay(id)) expected.push_back(id);
    REQUIRE(registry.matching(std::vector{
                matcher(promql::MatchOp::equal, "__name__", "metric_" + std::to_string(name))}) == expected);
  }
  registry.add(registry.next_id(), registry.full_labels("node", spec_of(69)), form);
  CHECK(registry.newest(registry.full_labels("node", spec_of(69))) == kSeries);
  const SeriesRegistry changed = registry.relabelled({{"rack", "7"}});
  CHECK(changed.size() == registry.size());
  CHECK(changed.next_id() == kSeries + 1);
}

TEST_CASE("of two forms of one label set one may leave, and its ids may be those of before our start") {
  SeriesRegistry registry = filled();
  registry.reserve_ids(9);
  CHECK(registry.next_id() == 9);
  const Labels full = registry.full_labels("node", spec("load"));
  registry.add(9, full, {SeriesType::gauge, Encoding::decimal, 2});
  registry.remove(std::vector<SeriesId>{0});
  CHECK(registry.newest(full) == 9U);
  CHECK(registry.at(9)->labels->get("__name__") == "load");
  registry.remove(std::vector<SeriesId>{9});
  CHECK_FALSE(registry.newest(full));
  CHECK(registry.next_id() == 10);
}

TEST_CASE("a series is unused when nobody looked for it since the round began") {
  SeriesRegistry registry = filled();
  CHECK_FALSE(registry.unused(0));
  registry.begin_round();
  CHECK(registry.unused(0));
  CHECK(registry.unused(1));
  CHECK_FALSE(registry.unused(77));
  CHECK(registry.find(registry.full_labels("node", spec("load")), {SeriesType::gauge, Encoding::decimal, 0}));
  CHECK(registry.newest(registry.full_labels("node", spec("cpu", {{"mode", "idle"}}))));
  registry.add(3, registry.full_labels("node", spec("fresh")), {});
  CHECK_FALSE(registry.unused(0));
  CHECK_FALSE(registry.unused(1));
  CHECK(registry.unused(2));
  CHECK_FALSE(registry.unused(3));
  const SeriesRegistry changed = registry.relabelled({{"rack", "7"}});
  CHECK_FALSE(changed.unused(0));
  CHECK(changed.unused(2));
}
