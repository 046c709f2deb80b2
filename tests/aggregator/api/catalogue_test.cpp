#include "aggregator/api/catalogue.h"

#include "tests/aggregator/api/fleet.h"

using namespace vigil::aggregator::api;

TEST_CASE("series are listed by their labels, and must be asked for") {
  Fleet fleet;
  CHECK(fleet.get("/api/v1/series?match[]=node_load1").data() ==
        R"([{"__name__":"node_load1","env":"prod","instance":"db-1","job":"node"},)"
        R"({"__name__":"node_load1","env":"prod","instance":"web-1","job":"node"}])");
  CHECK(fleet.post("/api/v1/series", "match[]=node_load1&match[]=nothing")
            .json()
            .at("data")
            .as_array()
            .size() == 2);
  const auto missing = fleet.get("/api/v1/series");
  CHECK(missing.status == 400);
  CHECK(missing.text.find("parameter match[]: it is missing") != std::string::npos);
  CHECK(fleet.get("/api/v1/series?match[]=up&start=2&end=1").status == 400);
}

TEST_CASE("names and values of labels, of all series or of those that match") {
  Fleet fleet;
  CHECK(fleet.get("/api/v1/labels").data() == R"(["__name__","device","env","instance","job"])");
  CHECK(fleet.post("/api/v1/labels", "match[]=node_load1").data() ==
        R"(["__name__","env","instance","job"])");
  CHECK(fleet.get("/api/v1/label/instance/values").data() == R"(["db-1","web-1"])");
  CHECK(fleet.get("/api/v1/label/device/values?match[]=node_load1").data() == "[]");
  CHECK(fleet.get("/api/v1/label/U__env/values").data() == R"(["prod"])");
  CHECK(fleet.get("/api/v1/label/nothing/values").data() == "[]");
  CHECK(fleet.get("/api/v1/label/%FF/values").status == 400);
  CHECK(fleet.get("/api/v1/label/job").status == 404);
  CHECK(fleet.get("/api/v1/label//values").status == 404);
}

TEST_CASE("limit cuts lists with a warning") {
  Fleet fleet;
  const auto cut = fleet.get("/api/v1/label/instance/values?limit=1").json();
  CHECK(cut.at("data").as_array().size() == 1);
  CHECK(cut.at("warnings").as_array().size() == 1);
  const auto series = fleet.get("/api/v1/series?match[]=node_load1&limit=1").json();
  CHECK(series.at("data").as_array().size() == 1);
  CHECK(series.at("warnings").as_array().size() == 1);
  CHECK_FALSE(fleet.get("/api/v1/labels?limit=50").json().as_object().contains("warnings"));
}

TEST_CASE("metadata gives the type of each metric") {
  Fleet fleet;
  CHECK(fleet.get("/api/v1/metadata").data() ==
        R"({"node_load1":[{"type":"gauge","help":"","unit":""}],)"
        R"("node_network_receive_bytes_total":[{"type":"counter","help":"","unit":""}]})");
  CHECK(fleet.get("/api/v1/metadata?metric=node_load1").json().at("data").as_object().size() == 1);
  CHECK(fleet.get("/api/v1/metadata?limit=1").json().at("data").as_object().size() == 1);
  CHECK(fleet.get("/api/v1/metadata?metric=nothing").data() == "{}");
}

TEST_CASE("metadata of targets is of each host and metric once") {
  Fleet fleet;
  CHECK(fleet.get("/api/v1/targets/metadata").json().at("data").as_array().size() == 4);
  CHECK(
      fleet.get("/api/v1/targets/metadata?match_target=%7Binstance=%22db-1%22%7D&metric=node_load1").data() ==
      R"([{"target":{"instance":"db-1","job":"node"},"type":"gauge","help":"","unit":""}])");
}
