#include "aggregator/api/questions.h"

#include "aggregator/api/result_json.h"
#include "tests/aggregator/api/fleet.h"

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::api;

namespace {

std::string with_range(const std::string& query, const std::string& more = "") {
  return "/api/v1/query_range?query=" + query + "&start=1700000000&end=1700000060&step=30" + more;
}

}  // namespace

TEST_CASE("an instant query gives each type of result in Prometheus's shape") {
  Fleet fleet;
  const auto vector = fleet.get("/api/v1/query?query=node_load1%7Binstance=%22web-1%22%7D&time=1700000060.5");
  CHECK(vector.status == 200);
  CHECK(vector.response.content_type == "application/json");
  CHECK(vector.text ==
        R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"node_load1",)"
        R"("env":"prod","instance":"web-1","job":"node"},"value":[1700000060.500,"1.5"]}]}})");
  CHECK(fleet.get("/api/v1/query?query=1%2B1").text ==
        R"({"status":"success","data":{"resultType":"scalar","result":[1700000060,"2"]}})");
  CHECK(fleet.get("/api/v1/query?query=1e21").text.find(R"(,"1000000000000000000000"])") !=
        std::string::npos);
  CHECK(fleet.get("/api/v1/query?query=vector(1e21)").text.find(R"(,"1e+21"])") != std::string::npos);
  CHECK(fleet.get("/api/v1/query?query=%22x%22").data() ==
        R"({"resultType":"string","result":[1700000060,"x"]})");
  const auto matrix =
      fleet.get("/api/v1/query?query=node_load1%7Binstance=%22db-1%22%7D[2s]&time=2023-11-14T22:14:20Z");
  CHECK(matrix.text.find(R"("resultType":"matrix","result":[{"metric":{"__name__":"node_load1",)") !=
        std::string::npos);
  CHECK(matrix.text.find(R"("values":[[1700000059,"0.5"],[1700000060,"0.5"]]}]}})") != std::string::npos);
  CHECK(fleet.get("/api/v1/query?query=nothing").data() == R"({"resultType":"vector","result":[]})");
}

TEST_CASE("a form is taken as the parameters of a URL are") {
  Fleet fleet;
  CHECK(fleet.post("/api/v1/query", "query=1%2B1&time=1").text ==
        R"({"status":"success","data":{"resultType":"scalar","result":[1,"2"]}})");
}

TEST_CASE("a range query gives a matrix") {
  Fleet fleet;
  const auto answer = fleet.get(with_range("sum(node_load1)"));
  CHECK(answer.text == R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":)"
                       R"([[1700000000,"2"],[1700000030,"2"],[1700000060,"2"]]}]}})");
}

TEST_CASE("errors have Prometheus's types and statuses") {
  Fleet fleet;
  const auto check = [&](const std::string& target, unsigned status, const std::string& type) {
    const auto answer = fleet.get(target);
    INFO(target << " " << answer.text);
    CHECK(answer.status == status);
    CHECK(answer.json().at("status") == "error");
    CHECK(answer.json().at("errorType") == boost::json::string(type));
    return std::string(answer.json().at("error").as_string());
  };
  CHECK(check("/api/v1/query", 400, "bad_data") == "parameter query: it is missing");
  CHECK(check("/api/v1/query?query=sum(", 400, "bad_data").starts_with("parameter query: 1:5: parse error"));
  CHECK(check("/api/v1/query?query=up&time=soon", 400, "bad_data").starts_with("parameter time: "));
  CHECK(check("/api/v1/query?query=up&timeout=soon", 400, "bad_data").starts_with("parameter timeout: "));
  CHECK(check("/api/v1/query?query=up&limit=x", 400, "bad_data").starts_with("parameter limit: "));
  CHECK(check("/api/v1/query_range?query=up", 400, "bad_data").starts_with("parameter start: "));
  check(with_range("up[5m]"), 400, "bad_data");
  check("/api/v1/query_range?query=up&start=0&end=1700000000&step=1", 400, "bad_data");
  // Both hosts have the same device: many-to-many.
  check("/api/v1/query?query=node_load1*on(env)node_load1", 422, "execution");
  CHECK(check("/api/v1/nothing", 404, "not_found") == "nothing is at /api/v1/nothing");
}

TEST_CASE("a result past a limit of the engine is an execution error") {
  QueryLimits limits;
  limits.max_samples = 3;
  Fleet fleet(limits);
  const auto answer = fleet.get(with_range("node_load1"));
  CHECK(answer.status == 422);
}

TEST_CASE("limit cuts the series of a result with a warning") {
  Fleet fleet;
  const auto answer = fleet.get("/api/v1/query?query=node_load1&limit=1");
  CHECK(answer.json().at("data").at("result").as_array().size() == 1);
  CHECK(answer.json().at("warnings").as_array().size() == 1);
  CHECK_FALSE(fleet.get("/api/v1/query?query=node_load1&limit=2").json().as_object().contains("warnings"));
}

TEST_CASE("lookback_delta says how far back a sample is seen") {
  Fleet fleet;
  const std::string later = "/api/v1/query?query=node_load1&time=1700000070";
  CHECK(fleet.get(later).json().at("data").at("result").as_array().size() == 2);
  CHECK(fleet.get(later + "&lookback_delta=5s").json().at("data").at("result").as_array().empty());
}

TEST_CASE("statistics come when they are asked for") {
  Fleet fleet;
  const auto stats = fleet.get("/api/v1/query?query=node_load1&stats=all").json().at("data").at("stats");
  CHECK(stats.at("timings").at("execTotalTime").to_number<double>() > 0);
  CHECK(stats.at("samples").at("resultSamples") == 2);
}

TEST_CASE("infos and warnings of the engine stand behind the data") {
  Fleet fleet;
  const auto answer = fleet.get("/api/v1/query?query=rate(node_load1[1m])");
  CHECK(answer.status == 200);
  CHECK(answer.text.find("},\"infos\":[\"") != std::string::npos);
}

TEST_CASE("a client that left while it waited costs no evaluation") {
  Fleet fleet;
  const auto exchange = std::make_shared<TestExchange>();
  exchange->leave();
  const auto found = fleet.router.find("GET", "/api/v1/query");
  const auto& handler = std::get<http::LaterHandler>(std::get<const http::Route*>(found)->handler);
  handler(*http::parse_target("GET", "/api/v1/query?query=up"), http::Responder(exchange));
  CHECK(exchange->wait().status == 499);
}

TEST_CASE("a query that takes longer than its timeout is ended") {
  Fleet fleet;
  const auto answer = fleet.get("/api/v1/query?query=count_over_time(sum(node_load1)[40d:1s])&timeout=0.001");
  INFO(answer.text);
  CHECK(answer.status == 503);
  CHECK(answer.json().at("errorType") == "timeout");
}

TEST_CASE("format_query and parse_query say what a query means, query_exemplars has none") {
  Fleet fleet;
  CHECK(fleet.get("/api/v1/format_query?query=sum+by(a)(up)").data() == "\"sum by (a) (up)\"");
  CHECK(fleet.post("/api/v1/parse_query", "query=up").json().at("data").at("type") == "vectorSelector");
  CHECK(fleet.get("/api/v1/query_exemplars?query=up&start=1&end=2").data() == "[]");
  CHECK(fleet.get("/api/v1/query_exemplars?query=up(").status == 400);
  CHECK(fleet.get("/api/v1/format_query?query=up(").status == 400);
}

TEST_CASE("a large matrix comes in pieces that together are the whole") {
  promql::MatrixValue value;
  for (int i = 0; i < 50; ++i) {
    promql::Series& series = value.series.emplace_back();
    series.labels = std::make_shared<const Labels>(Labels{{"i", std::to_string(i)}});
    for (int t = 0; t < 3000; ++t) series.points.push_back({t * 1000, t * 0.25});
  }
  auto response = success_in_steps(result_steps(std::move(value), {}));
  REQUIRE(response.next);
  CHECK(response.body.size() < 200'000);
  const auto read = boost::json::parse(whole(response));
  const auto& result = read.at("data").at("result").as_array();
  REQUIRE(result.size() == 50);
  for (const auto& series : result) CHECK(series.at("values").as_array().size() == 3000);
  CHECK(result[49].at("values").as_array()[2999] == boost::json::parse(R"([2999,"749.75"])"));
}

TEST_CASE("results on their way are bounded together, one alone is not") {
  OnTheWay on_the_way(100);
  auto first = on_the_way.add(500);
  CHECK(first);
  CHECK_FALSE(on_the_way.add(1));
  first.reset();
  const auto second = on_the_way.add(60);
  const auto third = on_the_way.add(40);
  CHECK(second);
  CHECK(third);
  CHECK_FALSE(on_the_way.add(1));
}

TEST_CASE("a link of a rule's template leads to a page with the expression and its value") {
  Fleet fleet;
  const auto page = fleet.get("/graph?g0.expr=node_load1%7Binstance%3D%22web-1%22%7D&g0.tab=0");
  CHECK(page.status == 200);
  CHECK(page.response.content_type == "text/html; charset=utf-8");
  CHECK(page.text.find("<td>1.5</td>") != std::string::npos);
  const auto wrong = fleet.get("//graph?g0.expr=up+%3D%3D+%3Cb%3E");
  CHECK(wrong.status == 400);
  CHECK(wrong.text.find("parse error") != std::string::npos);
  CHECK(wrong.text.find("<b>") == std::string::npos);
  CHECK(fleet.get("/graph").status == 200);
}

TEST_CASE("a base URL may end in a slash, a path may not") {
  Fleet fleet;
  CHECK(fleet.get("//api/v1/labels").data() == fleet.get("/api/v1/labels").data());
  CHECK(fleet.get("//api/v1/label/instance/values").data() == R"(["db-1","web-1"])");
  CHECK(fleet.get("/api/v1/labels/").status == 404);
}
