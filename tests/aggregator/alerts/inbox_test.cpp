#include "aggregator/alerts/inbox.h"

#include "tests/aggregator/alerts/rules_of.h"

using namespace vigil;
using namespace vigil::alerts;

namespace {

rules::Evaluation evaluation_of(const rules::RulePtr& rule, const std::string& scope, std::int64_t t_ms) {
  rules::Evaluation evaluation;
  evaluation.rule = rule;
  evaluation.scope = scope;
  evaluation.t_ms = t_ms;
  return evaluation;
}

}  // namespace

TEST_CASE("Evaluations come out in the order they went in, and only the first of them calls") {
  const auto rules = test::rules_of("groups: [{name: g, rules: [{alert: A, expr: up}]}]");
  const rules::RulePtr rule = rules->rules()[0];
  Inbox inbox;
  CHECK(inbox.put(evaluation_of(rule, "a", 1)));
  CHECK_FALSE(inbox.put(evaluation_of(rule, "a", 2)));
  CHECK_FALSE(inbox.put(evaluation_of(rule, "b", 3)));
  const auto taken = inbox.take();
  REQUIRE(taken.size() == 3);
  for (std::size_t i = 0; i < taken.size(); ++i) CHECK(taken[i].t_ms == static_cast<std::int64_t>(i) + 1);
  CHECK(inbox.put(evaluation_of(rule, "a", 4)));
}

TEST_CASE(
    "In a crowd the newest evaluation of a rule and scope replaces the one that waits, and none is lost") {
  const auto rules = test::rules_of("groups: [{name: g, rules: [{alert: A, expr: up}]}]");
  const rules::RulePtr rule = rules->rules()[0];
  Inbox inbox(2);
  inbox.put(evaluation_of(rule, "a", 1));
  inbox.put(evaluation_of(rule, "b", 2));
  inbox.put(evaluation_of(rule, "a", 3));  // replaces
  inbox.put(evaluation_of(rule, "c", 4));  // the first of its scope: it may say that an alert is over
  CHECK(inbox.superseded() == 1);
  const auto taken = inbox.take();
  REQUIRE(taken.size() == 3);
  CHECK(taken[0].t_ms == 3);
  CHECK(taken[1].t_ms == 2);
  CHECK(taken[2].t_ms == 4);
}
