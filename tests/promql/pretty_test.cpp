#include "aggregator/promql/pretty.h"

#include "aggregator/promql/ast_json.h"
#include "aggregator/promql/parser.h"
#include "tests/support/catch.h"

namespace vigil::promql {
namespace {

std::string laid_out(const std::string& query) {
  const auto expr = parse(query);
  return expr ? pretty(**expr) : "error " + expr.error().message;
}

std::string json(const std::string& query) {
  const auto expr = parse(query);
  return expr ? to_json(**expr) : "error " + expr.error().message;
}

const std::string kLong(60, 'x');

}  // namespace

TEST_CASE("what fits a line stays on it") {
  CHECK(laid_out("sum(rate(x[5m]))by(job)") == "sum by (job) (rate(x[5m]))");
  CHECK(laid_out("up{job='node' , a!~\"b\"}") == "up{a!~\"b\",job=\"node\"}");
  CHECK(laid_out("a{" + kLong + "=\"" + kLong + "\"}") == "a{" + kLong + "=\"" + kLong + "\"}");
}

TEST_CASE("each kind of node that is too long is split in its own way") {
  const std::string x = kLong;
  const auto [query, expected] = GENERATE_COPY(table<std::string, std::string>({
      {x + "+bool_" + x, "  " + x + "\n+\n  bool_" + x},
      {x + ">bool on(a)" + x, "  " + x + "\n> bool on (a)\n  " + x},
      {x + "*ignoring()group_left " + x, "  " + x + "\n* ignoring () group_left ()\n  " + x},
      {"(" + x + " + " + x + ")", "(\n    " + x + "\n  +\n    " + x + "\n)"},
      {"-(" + x + " + " + x + ")", "-(\n    " + x + "\n  +\n    " + x + "\n)"},
      {"sum(" + x + " + " + x + ")by(a)", "sum by (a) (\n    " + x + "\n  +\n    " + x + "\n)"},
      {"topk(3, " + x + " + " + x + ")", "topk(\n  3,\n    " + x + "\n  +\n    " + x + "\n)"},
      {"clamp(" + x + ", 1, scalar(" + x + "))", "clamp(\n  " + x + ",\n  1,\n  scalar(" + x + ")\n)"},
      {"abs(abs(abs(abs(abs(abs(" + x + x + "))))))",
       "abs(\n  abs(\n    abs(\n      abs(\n        abs(\n          abs(\n            " + x + x +
           "\n          )\n        )\n      )\n    )\n  )\n)"},
      {"sum(" + x + " + " + x + ")[1h:5m]", "sum(\n    " + x + "\n  +\n    " + x + "\n)[1h:5m]"},
  }));
  CHECK(laid_out(query) == expected);
  CHECK(laid_out(expected) == expected);
}

TEST_CASE("trees read as Prometheus's web page expects them") {
  const auto [query, expected] = GENERATE(table<std::string, std::string>({
      {"1e3", R"({"type":"numberLiteral","val":"1000"})"},
      {"-5m", R"({"type":"numberLiteral","val":"-300"})"},
      {"+Inf", R"({"type":"numberLiteral","val":"+Inf"})"},
      {R"("a\"\n\xff")", R"({"type":"stringLiteral","val":"a\"\u000a\ufffd"})"},
      {"up{job!~\"x\"} @ end() offset -1s",
       R"({"anchored":false,"matchers":[{"name":"job","type":"!~","value":"x"},)"
       R"({"name":"__name__","type":"=","value":"up"}],"name":"up","offset":-1000,"smoothed":false,)"
       R"("startOrEnd":"end","timestamp":null,"type":"vectorSelector"})"},
      {"{\"a.b\"}[5m] @ 12.5",
       R"({"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"a.b"}],"name":"","offset":0,)"
       R"("range":300000,"smoothed":false,"startOrEnd":null,"timestamp":12500,"type":"matrixSelector"})"},
      {"(-time())", R"({"expr":{"expr":{"args":[],"func":{"argTypes":[],"name":"time","returnType":"scalar",)"
                    R"("variadic":0},"type":"call"},"op":"-","type":"unaryExpr"},"type":"parenExpr"})"},
      {"vector(1)[1h:30s]",
       R"({"alignEvalTime":false,"expr":{"args":[{"type":"numberLiteral","val":"1"}],"func":{"argTypes":)"
       R"(["scalar"],"name":"vector","returnType":"vector","variadic":0},"type":"call"},"offset":0,)"
       R"("range":3600000,"startOrEnd":null,"step":30000,"timestamp":null,"type":"subquery"})"},
  }));
  INFO(query);
  CHECK(json(query) == expected);
}

TEST_CASE("trees of operators name their matching, between vectors only") {
  CHECK(json("1 > bool 2").find(R"("matching":null,"op":">")") != std::string::npos);
  CHECK(json("1 > bool 2").starts_with(R"({"bool":true,"lhs":)"));
  CHECK(json("a and b").find(R"("matching":{"card":"many-to-many","fillValues":{"lhs":null,"rhs":null},)"
                             R"("include":[],"labels":[],"on":false},"op":"and")") != std::string::npos);
  CHECK(json("a * on(x, y) group_right(z) b")
            .find(R"({"card":"one-to-many","fillValues":{"lhs":null,"rhs":null},"include":["z"],)"
                  R"("labels":["x","y"],"on":true})") != std::string::npos);
  CHECK(json("topk without (a) (3, b)")
            .ends_with(R"("grouping":["a"],"op":"topk","param":{"type":"numberLiteral","val":"3"},)"
                       R"("type":"aggregation","without":true})"));
  CHECK(json("sum(b)").find(R"("param":null)") != std::string::npos);
}

TEST_CASE("signatures say which arguments may be left out") {
  CHECK(json("round(a)")
            .find(R"("func":{"argTypes":["vector","scalar"],"name":"round","returnType":"vector",)"
                  R"("variadic":1})") != std::string::npos);
  CHECK(json("label_join(a, \"b\", \"c\")")
            .find(R"("argTypes":["vector","string","string","string"],"name":"label_join",)"
                  R"("returnType":"vector","variadic":-1)") != std::string::npos);
}

}  // namespace vigil::promql
