#include "tests/aggregator/routing/configurations.h"

namespace vigil::routing {

TEST_CASE("which alert holds back which") {
  const auto f = [](const std::string& rules, const std::vector<Labels>& firing, const Labels& labels,
                    const char* expected) {
    const Configuration c =
        configuration("route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules:\n" + rules);
    Inhibitions inhibitions(c.inhibit_rules);
    for (std::size_t i = 0; i < firing.size(); ++i) inhibitions.add_firing(std::to_string(i), firing[i]);
    const auto by = inhibitions.inhibitor_of(labels);
    INFO(rules << labels.to_string());
    CHECK((by ? by->rule->name + " " + by->fingerprint : "none") == std::string(expected));
  };
  const std::string severity =
      "- {name: worse, source_matchers: [severity=critical], target_matchers: [severity=warning], equal: "
      "[host]}\n";
  f(severity, {}, {{"severity", "warning"}}, "none");
  f(severity, {{{"severity", "critical"}, {"host", "a"}}}, {{"severity", "warning"}, {"host", "a"}},
    "worse 0");
  f(severity, {{{"severity", "critical"}, {"host", "a"}}}, {{"severity", "warning"}, {"host", "b"}}, "none");
  f(severity, {{{"severity", "critical"}, {"host", "a"}}}, {{"severity", "critical"}, {"host", "a"}}, "none");
  f(severity, {{{"severity", "critical"}}}, {{"severity", "warning"}}, "worse 0");  // neither has a host
  f(severity, {{{"severity", "critical"}, {"host", "b"}}, {{"severity", "critical"}, {"host", "a"}}},
    {{"severity", "warning"}, {"host", "a"}}, "worse 1");

  const std::string old = "- {source_match: {a: x}, target_match_re: {b: 'y|z'}}\n";
  f(old, {{{"a", "x"}}}, {{"b", "z"}}, "inhibit_rules[0] 0");
  f(old, {{{"a", "xx"}}}, {{"b", "z"}}, "none");

  // What both sides match is not held back by its like, but by what only the source matches.
  const std::string both = "- {name: both, source_matchers: ['a=~\".+\"'], target_matchers: ['b=~\".+\"']}\n";
  f(both, {{{"a", "1"}, {"b", "1"}}}, {{"a", "1"}, {"b", "1"}}, "none");
  f(both, {{{"a", "1"}, {"b", "1"}}, {{"a", "1"}}}, {{"a", "1"}, {"b", "1"}}, "both 1");
  f(both, {{{"a", "1"}, {"b", "1"}}}, {{"b", "1"}}, "both 0");

  f(severity + old, {{{"a", "x"}}, {{"severity", "critical"}}}, {{"b", "y"}, {"severity", "warning"}},
    "worse 1");
}

}  // namespace vigil::routing
