// What a replay shows of its label sets.
#include "cli/commands/replay_listing.h"

#include "tests/support/catch.h"

#include <boost/json.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace vigil::cli {
namespace {

using Labels = std::map<std::string, std::string>;

/// A rule A that fired once, for a minute, for each of `sets`; alertname is added to them.
void add_rule(v1::ReplayResult& result, bool in_force, const Labels& own, const std::vector<Labels>& sets) {
  v1::ReplayedRule& rule = *result.add_rules();
  rule.set_name("A");
  rule.set_group("g");
  rule.set_in_force(in_force);
  rule.set_count(sets.size());
  rule.mutable_labels()->insert(own.begin(), own.end());
  for (const Labels& labels : sets) {
    v1::ReplayedAlert& alert = *rule.add_alerts();
    alert.mutable_labels()->insert(labels.begin(), labels.end());
    alert.mutable_labels()->insert({"alertname", "A"});
    alert.set_count(1);
    alert.set_total_ms(60'000);
  }
}

boost::json::array shown(const Listing& listing) {
  return boost::json::parse(render(listing, Format::json, Colours::never)).as_array();
}

std::string texts(const boost::json::value& row, const char* key) {
  return boost::json::serialize(row.at(key));
}

}  // namespace

TEST_CASE("label sets that differ in the job alone are told apart") {
  v1::ReplayResult result;
  add_rule(result, false, {}, {{{"job", "node"}}, {{"job", "vigil"}}});
  add_rule(result, true, {}, {{{"job", "node"}}, {{"job", "app"}}});
  const auto rows = shown(replayed_rules_listing(result));
  REQUIRE(rows.size() == 1);
  CHECK(texts(rows[0], "where") == R"(["job=node 1x 1m","job=vigil 1x 1m"])");
  CHECK(texts(rows[0], "new") == R"(["job=vigil"])");
  CHECK(texts(rows[0], "no_longer") == R"(["job=app"])");
  std::set<std::string> each;
  for (const auto& row : shown(replayed_alerts_listing(result))) each.insert(texts(row, "where"));
  CHECK(each == std::set<std::string>{"\"job=app\"", "\"job=node\"", "\"job=vigil\""});
}

TEST_CASE("a label set is named by what tells it apart, and by its job rather than by nothing") {
  const auto where = [](const Labels& own, const std::vector<Labels>& sets) {
    v1::ReplayResult result;
    add_rule(result, false, own, sets);
    std::string all;
    for (const auto& row : shown(replayed_alerts_listing(result))) all += texts(row, "where");
    return all;
  };
  CHECK(where({}, {{{"job", "node"}}}) == R"("job=node")");
  CHECK(where({{"team", "db"}}, {{{"team", "db"}}}) == R"("-")");
  CHECK(where({}, {{{"instance", "web-1"}, {"job", "node"}}}) == R"("web-1")");
  CHECK(where({}, {{{"instance", "web-1"}, {"device", "sda"}, {"job", "node"}}}) == R"("web-1 device=sda")");
  // Of a template only what it gave says which is which.
  const Labels leveled{{"level", "{{ if gt $value 9.0 }}high{{ else }}low{{ end }}"}};
  CHECK(where(leveled, {{{"instance", "a"}, {"level", "high"}}, {{"instance", "a"}, {"level", "low"}}}) ==
        R"("a level=high""a level=low")");
  // One that not all of them have.
  CHECK(where({}, {{{"instance", "a"}, {"job", "node"}}, {{"instance", "a"}}}) == R"("a job=node""a")");
}

TEST_CASE("label sets are the same when all their labels are, the rule's own too") {
  v1::ReplayResult result;
  add_rule(result, false, {{"team", "db"}}, {{{"instance", "a"}, {"team", "db"}}});
  add_rule(result, true, {{"team", "web"}}, {{{"instance", "a"}, {"team", "web"}}});
  const auto rows = shown(replayed_rules_listing(result));
  REQUIRE(rows.size() == 1);
  CHECK(texts(rows[0], "new") == R"(["a team=db"])");
  CHECK(texts(rows[0], "no_longer") == R"(["a team=web"])");
}

TEST_CASE("of rules that share name and severity each is held against the one with its labels") {
  const auto mounted = [](std::string mount) {
    return std::vector<Labels>{{{"instance", "a"}, {"mount", std::move(mount)}}};
  };
  v1::ReplayResult result;
  add_rule(result, false, {{"mount", "/data"}}, mounted("/data"));
  add_rule(result, true, {{"mount", "/"}}, mounted("/"));
  add_rule(result, true, {{"mount", "/data"}}, mounted("/data"));
  const auto rows = shown(replayed_rules_listing(result));
  REQUIRE(rows.size() == 2);
  CHECK(texts(rows[0], "new") == "[]");
  CHECK(texts(rows[0], "no_longer") == "[]");
  CHECK(texts(rows[1], "kind") == R"("only today")");
  CHECK(texts(rows[1], "no_longer") == R"(["a mount=/"])");
}

TEST_CASE("whether an alert fires still is true or false in JSON, not a text") {
  v1::ReplayResult result;
  add_rule(result, false, {}, {{{"instance", "a"}}, {{"instance", "b"}}});
  result.mutable_rules(0)->mutable_alerts(0)->set_firing(true);
  const auto rows = shown(replayed_alerts_listing(result));
  CHECK(rows[0].at("still_firing") == boost::json::value(true));
  CHECK(rows[1].at("still_firing") == boost::json::value(false));
  CHECK(render(replayed_alerts_listing(result), Format::csv, Colours::never).find(",true,") !=
        std::string::npos);
}

}  // namespace vigil::cli
