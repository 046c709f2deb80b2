#include "aggregator/api/program.h"
#include "aggregator/api/targets.h"
#include "tests/aggregator/api/fleet.h"

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::api;

TEST_CASE("the program says what it is and how it was started") {
  Fleet fleet;
  const auto build = fleet.get("/api/v1/status/buildinfo").json().at("data");
  CHECK(build.at("version") == "3.5.0");
  CHECK(build.at("vigilVersion") == "0.1.0");
  for (const char* key : {"revision", "branch", "buildUser", "buildDate", "goVersion"})
    CHECK(build.at(key) == "");
  CHECK(fleet.get("/api/v1/status/flags").data() == R"({"config":"","data-dir":"/data"})");
  CHECK(fleet.get("/api/v1/status/config").data() == R"({"yaml":"rules: {}\n"})");
  fleet.config.reload_ok = false;
  const auto runtime = fleet.get("/api/v1/status/runtimeinfo").json().at("data");
  CHECK(runtime.at("startTime") == "2023-11-14T22:13:20Z");
  CHECK(runtime.at("serverTime") == "2023-11-14T22:14:20Z");
  CHECK(runtime.at("CWD") == "/srv");
  CHECK(runtime.at("reloadConfigSuccess") == false);
  CHECK(runtime.at("storageRetention") == "30d");
  CHECK(fleet.get("/api/v1/status/walreplay").data() == R"({"min":0,"max":0,"current":0,"state":"done"})");
  CHECK(fleet.get("/api/v1/notifications").data() == "[]");
}

TEST_CASE("statistics count series, names and values") {
  Fleet fleet;
  const auto data = fleet.get("/api/v1/status/tsdb?limit=1").json().at("data");
  CHECK(data.at("headStats").at("numSeries") == 6);
  CHECK(boost::json::serialize(data.at("seriesCountByMetricName")) ==
        R"([{"name":"node_network_receive_bytes_total","value":4}])");
  CHECK(boost::json::serialize(data.at("labelValueCountByLabelName")) ==
        R"([{"name":"__name__","value":2}])");
  CHECK(boost::json::serialize(data.at("seriesCountByLabelValuePair")) ==
        R"([{"name":"env=prod","value":6}])");
  CHECK(data.at("memoryInBytesByLabelName").as_array().size() == 1);
  CHECK(fleet.get("/api/v1/status/tsdb?limit=x").status == 400);
}

TEST_CASE("agents are targets") {
  Fleet fleet;
  const auto data = fleet.get("/api/v1/targets").json().at("data");
  REQUIRE(data.at("activeTargets").as_array().size() == 2);
  const auto& target = data.at("activeTargets").as_array()[0];
  CHECK(boost::json::serialize(target.at("labels")) == R"({"env":"prod","instance":"db-1","job":"node"})");
  CHECK(target.at("health") == "up");
  CHECK(target.at("scrapePool") == "agents");
  CHECK(target.at("scrapeInterval") == "1s");
  CHECK(data.at("droppedTargets").as_array().empty());
  CHECK(fleet.get("/api/v1/targets?state=dropped").json().at("data").at("activeTargets").as_array().empty());
  CHECK(
      fleet.get("/api/v1/targets?scrapePool=other").json().at("data").at("activeTargets").as_array().empty());
  CHECK(fleet.get("/api/v1/targets?state=lost").status == 400);
  CHECK(fleet.get("/api/v1/scrape_pools").data() == R"({"scrapePools":["agents"]})");
}
