#include "aggregator/promql/parser.h"

#include "tests/support/catch.h"

#include <cmath>

namespace vigil::promql {
namespace {

std::string printed(const std::string& query) {
  const auto expr = parse(query);
  return expr ? to_string(**expr) : "error " + expr.error().message;
}

std::string error_of(const std::string& query) {
  const auto expr = parse(query);
  return expr ? "no error" : expr.error().message;
}

}  // namespace

TEST_CASE("expressions print back in canonical form") {
  const auto [query, canonical] = GENERATE(table<std::string, std::string>({
      {"up", "up"},
      {"up{ }", "up"},
      {"up{job='node',instance=~`web-.*`,}", R"(up{instance=~"web-.*",job="node"})"},
      {"{__name__=\"up\"}", R"({__name__="up"})"},
      {"{\"my.metric\", \"a.b\"!=\"c\"}", R"({"a.b"!="c",__name__="my.metric"})"},
      {"{\"plain\"}", "{__name__=\"plain\"}"},
      {":rule:name", ":rule:name"},
      {"rate(x[5m])", "rate(x[5m])"},
      {"x[300]", "x[5m]"},
      {"x[1h30m] offset -1w @ 12.5", "x[1h30m] @ 12.500 offset -1w"},
      {"x @ start() offset 5m", "x @ start() offset 5m"},
      {"sum(x) by (a,b)", "sum by (a, b) (x)"},
      {"SUM WITHOUT () (x)", "sum without () (x)"},
      {"topk(3, x)", "topk(3, x)"},
      {"count_values('v', x)", R"(count_values("v", x))"},
      {"a+b*c^d^e", "a + b * c ^ d ^ e"},
      {"(a+b)*c", "(a + b) * c"},
      {"-a^2", "-a ^ 2"},
      {"+Inf + Inf ^ (Inf ^ -Inf)", "+Inf + Inf ^ (Inf ^ -Inf)"},
      {"a > BOOL b", "a > bool b"},
      {"a / on(x) group_left(y) b", "a / on (x) group_left (y) b"},
      {"a unless ignoring(z) b", "a unless ignoring (z) b"},
      {"max_over_time(rate(x[1m])[1h:])", "max_over_time(rate(x[1m])[1h:])"},
      {"x[1h:30s] offset 1m", "x[1h:30s] offset 1m"},
      {"1e3 + 0x1F + 1_000 + .5 + 017 + Inf", "1000 + 31 + 1000 + 0.5 + 15 + +Inf"},
      {"vector(5m)", "vector(5m)"},
      {"- -5m + +1 - -Inf", "5m + 1 - -Inf"},
      {"\"a\\x41\\u00e9\\n\"", "\"aA\u00e9\\n\""},
      {"a # comment\n+ b", "a + b"},
      {"sum", "sum"},
      {"info(up, {v=~\".*\"})", "info(up, {v=~\".*\"})"},
      {"info(up, {})", "info(up, {})"},
      {"LIMITK(2, x)", "limitk(2, x)"},
      {"and and and", "and and and"},
      {"by + offset", "by + offset"},
  }));
  INFO(query);
  CHECK(printed(query) == canonical);
  CHECK(printed(canonical) == canonical);
}

TEST_CASE("operators bind as in Prometheus") {
  const auto top = [](const std::string& query) {
    const auto expr = parse(query);
    REQUIRE(expr);
    if (const auto* unary = std::get_if<Unary>(&(*expr)->node)) return "sign of " + to_string(*unary->expr);
    const auto& binary = std::get<Binary>((*expr)->node);
    return to_string(*binary.lhs) + " | " + to_string(*binary.rhs);
  };
  CHECK(top("a or b and c") == "a | b and c");
  CHECK(top("a and b or c") == "a and b | c");
  CHECK(top("a == b + c") == "a | b + c");
  CHECK(top("a - b - c") == "a - b | c");
  CHECK(top("a ^ b ^ c") == "a | b ^ c");
  CHECK(top("a * b atan2 c") == "a * b | c");
  CHECK(top("-a ^ b") == "sign of a ^ b");
  CHECK(top("-a * b") == "-a | b");
  CHECK(top("-a offset 5m") == "sign of a offset 5m");
}

TEST_CASE("errors say where and what was expected") {
  const auto [query, message] = GENERATE(table<std::string, std::string>({
      {"", "1:1: parse error: expected an expression, found end of input"},
      {"sum(up", "1:7: parse error: expected \",\" or \")\", found end of input; \"(\" at 1:4 is not closed"},
      {"up{job=}", "1:8: parse error: expected a quoted label value, found \"}\""},
      {"up{job node}", "1:8: parse error: expected =, !=, =~ or !~, found identifier \"node\""},
      {"up\n  + )", "2:5: parse error: expected an expression, found \")\""},
      {"up up", "1:4: parse error: expected an operator or end of input, found identifier \"up\""},
      {"rate(up)",
       "1:6: parse error: expected type range vector in call of rate(), found instant vector; put a "
       "range such as [5m] behind the selector"},
      {"rate(sum(up))",
       "1:6: parse error: expected type range vector in call of rate(), found instant vector; "
       "put a subquery such as [5m:1m] behind the expression"},
      {"abs(up[5m])",
       "1:5: parse error: expected type instant vector in call of abs(), found range vector; take "
       "the range away, or put a function such as rate() or avg_over_time() around it"},
      {"sum(1)",
       "1:5: parse error: expected type instant vector in the aggregation, found scalar; vector() makes one "
       "of a "
       "number"},
      {"(up", "1:4: parse error: expected \")\", found end of input; \"(\" at 1:1 is not closed"},
      {"up{a=\"b\"",
       "1:9: parse error: expected \",\" or \"}\", found end of input; \"{\" at 1:3 is not closed"},
      {"up[5m", "1:6: parse error: expected \":\" or \"]\", found end of input; \"[\" at 1:3 is not closed"},
      {"sum(up))", "1:8: parse error: \")\" closes nothing"},
      {"up = 1", "1:4: parse error: expected an operator or end of input, found \"=\"; write == to compare"},
      {"up && up", "1:4: parse error: unexpected character \"&\"; the operator is called and"},
      {"up{job=node}",
       "1:8: parse error: expected a quoted label value, found identifier \"node\"; write \"node\""},
      {"raet(up[5m])", "1:1: parse error: unknown function \"raet\"; did you mean rate()?"},
      {"SORT(up)", "1:1: parse error: unknown function \"SORT\"; did you mean sort()?"},
      {"holt_winters(up[5m], 0.5, 0.5)",
       "1:1: parse error: unknown function \"holt_winters\"; it is called "
       "double_exponential_smoothing() since Prometheus 3"},
      {"histogram_count(up)",
       "1:1: parse error: unknown function \"histogram_count\"; it reads native histograms, "
       "and vigil has float samples only"},
      {"info(up, up)",
       "1:10: parse error: expected label matchers only, such as {version=~\".+\"}, as the second "
       "argument of info()"},
      {"up{__name__=~\"x\"}", "1:4: parse error: the metric name is already set to \"up\""},
      {"rate(up[5m], 1)", "1:1: parse error: wrong number of arguments for rate(): expected 1, found 2"},
      {"nosuch(up)", "1:1: parse error: unknown function \"nosuch\""},
      {"1 == 1", "1:1: parse error: comparisons between scalars must use the bool modifier"},
      {"1 and up", "1:1: parse error: set operator \"and\" is not possible with a scalar"},
      {"up + bool up", "1:6: parse error: bool is for comparisons only, not for \"+\""},
      {"up and on(a) group_left up", "1:14: parse error: no grouping is possible with \"and\""},
      {"up * on(a) group_left(a) up",
       "1:12: parse error: label \"a\" cannot be both in on and in the group modifier"},
      {"1 + on(a) 2",
       "1:3: parse error: on, ignoring and group modifiers need instant vectors on both sides"},
      {"{}", "1:1: parse error: a selector needs a name or a matcher that does not match the empty string"},
      {"{a=~'.*'}",
       "1:1: parse error: a selector needs a name or a matcher that does not match the empty string"},
      {"up[5m] + 1",
       "1:1: parse error: \"+\" needs scalars or instant vectors on both sides, found range vector"},
      {"up[0s]", "1:3: parse error: the range must be greater than 0"},
      {"up[5x]",
       "1:4: parse error: bad number or duration \"5x\"; expected a form like 1.5e3, 0x1F or 1h30m"},
      {"up offset 1m [5m]", "1:14: parse error: offset and @ stand behind the range, not before it"},
      {"sum(up)[5m]", "1:8: parse error: a range is only possible behind a selector; use a subquery: [5m:]"},
      {"(up) offset 5m", "1:6: parse error: offset must stand behind a selector or a subquery"},
      {"up{job=\"a}", "1:8: parse error: string is not closed; expected \""},
      {"up{job=\"\\q\"}", "1:8: parse error: bad escape in string \"\\q\""},
      {"up & up", "1:4: parse error: unexpected character \"&\""},
      {"up \xff", "1:4: parse error: the query is not valid UTF-8 here"},
      {"topk(up)", "1:5: parse error: wrong number of arguments for topk: expected 2, found 1"},
      {"sum by (a:b) (up)", "1:9: parse error: expected a label name, found identifier \"a:b\""},
      {"up{__name__=\"x\"}", "1:4: parse error: the metric name is already set to \"up\""},
      {"{__name__=\"x\", \"up\"}", "1:16: parse error: the metric name is already set to \"x\""},
      {"up @ foo", "1:6: parse error: expected a Unix time, start() or end(), found identifier \"foo\""},
  }));
  INFO(query);
  CHECK(error_of(query) == message);
}

TEST_CASE("a bad regular expression is reported at its string") {
  CHECK(error_of("up{job=~\"(\"}")
            .starts_with("1:9: parse error: regular expression \"(\" for label \"job\": "));
  CHECK(error_of("up{job=~\"" + std::string(kMaxRegexBytes + 1, 'a') + "\"}") ==
        "1:9: parse error: regular expression for label \"job\" is longer than 32768 bytes");
}

TEST_CASE("a regular expression of plain texts matches those, and nothing like them") {
  const auto matches = [](const std::string& pattern, std::string_view value) {
    return Matcher::create(MatchOp::regex, "job", pattern)->matches(value);
  };
  CHECK(matches("a|bc|d e", "bc"));
  CHECK(matches("a|bc|d e", "d e"));
  CHECK_FALSE(matches("a|bc|d e", "b"));
  CHECK_FALSE(matches("a|bc|d e", ""));
  CHECK_FALSE(matches("a|bc|d e", "a|bc"));
  CHECK(matches("a|", ""));
  CHECK(matches("", ""));
  CHECK_FALSE(matches("", "a"));
  CHECK(matches("a.c|d", "abc"));
  CHECK_FALSE(Matcher::create(MatchOp::not_regex, "job", "a|b")->matches("b"));
}

TEST_CASE("regular expressions are anchored at both ends and a dot matches a newline") {
  const auto selector = parse_selector(R"(up{job=~"a.c"})");
  REQUIRE(selector);
  CHECK(selector->matchers[0].matches("abc"));
  CHECK(selector->matchers[0].matches("a\nc"));
  CHECK_FALSE(selector->matchers[0].matches("xabc"));
  CHECK_FALSE(selector->matchers[0].matches("abcx"));
}

TEST_CASE("depth and length are bounded, whichever way they grow") {
  for (const char opening : {'(', '-'}) {
    std::string deep(5001, opening);
    deep.back() = '1';
    CHECK(parse(deep).error().code == Errc::limit);
  }
  std::string chain = "a";
  for (int i = 0; i < 5000; ++i) chain += "+a";
  CHECK(parse(chain).error().code == Errc::limit);
  CHECK(parse(std::string(kMaxQueryBytes + 1, ' ')).error().code == Errc::limit);
  std::string reasonable = "a";
  for (int i = 0; i < 150; ++i) reasonable += " or a";
  CHECK(parse(reasonable));
}

TEST_CASE("durations are read and printed") {
  CHECK(*parse_duration_ms("1h30m") == 5'400'000);
  CHECK(*parse_duration_ms("1y2w3d4h5m6s7ms") ==
        31'536'000'000 + 14 * 86'400'000LL + 3 * 86'400'000LL + 4 * 3'600'000 + 306'007);
  CHECK(*parse_duration_ms("0s") == 0);
  for (const char* bad :
       {"", "5", "m", "5m1h", "5m5m", "-5m", "1.5h", "5 m", "99999999999999999999s", "9999999y"}) {
    INFO(bad);
    CHECK_FALSE(parse_duration_ms(bad));
  }
  CHECK(format_duration_ms(5'400'000) == "1h30m");
  CHECK(format_duration_ms(250) == "250ms");
  CHECK(format_duration_ms(0) == "0s");
  CHECK(format_duration_ms(-90'000) == "-1m30s");
}

TEST_CASE("a lone selector is told from an expression") {
  CHECK(parse_selector("up{job=\"node\"}")->matchers.size() == 2);
  CHECK_FALSE(parse_selector("up + 1"));
  CHECK_FALSE(parse_selector("up[5m]"));
}

}  // namespace vigil::promql
