#include "aggregator/api/api.h"
#include "aggregator/api/federate.h"
#include "tests/aggregator/api/fleet.h"

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::api;

TEST_CASE("federate gives the newest samples as text, each once, families together") {
  Fleet fleet;
  const auto answer =
      fleet.get("/federate?match[]=node_load1&match[]=%7Binstance=%22web-1%22,device!=%22lo%22%7D");
  CHECK(answer.status == 200);
  CHECK(answer.response.content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(answer.text ==
        "# TYPE node_load1 untyped\n"
        "node_load1{env=\"prod\",instance=\"db-1\",job=\"node\",site=\"here\"} 0.5 1700000060000\n"
        "node_load1{env=\"prod\",instance=\"web-1\",job=\"node\",site=\"here\"} 1.5 1700000060000\n"
        "# TYPE node_network_receive_bytes_total untyped\n"
        "node_network_receive_bytes_total{device=\"eth0\",env=\"prod\",instance=\"web-1\",job=\"node\","
        "site=\"here\"} 6000 1700000060000\n");
  CHECK(fleet.get("/federate").text.empty());
  CHECK(fleet.get("/federate?match[]=%7B%7D").status == 400);
}

TEST_CASE("it says whether it is there and ready") {
  Fleet fleet;
  CHECK(fleet.get("/-/healthy").status == 200);
  CHECK(fleet.get("/-/ready").status == 200);
  fleet.not_ready = "starting";
  const auto waiting = fleet.get("/-/ready");
  CHECK(waiting.status == 503);
  CHECK(waiting.text == "starting\n");
  CHECK(fleet.get("/-/healthy").status == 200);
}

TEST_CASE("a reload is answered with what became of it, and pages of other origins may not ask for one") {
  Fleet fleet;
  const auto nothing = fleet.post("/-/reload", "");
  CHECK(nothing.status == 200);
  CHECK(nothing.text == "reloaded\n");
  fleet.reloaded =
      ReloadReport{{"log_level", "1 rule added: Two"}, {"grpc_listen"}, {"no file fits a pattern"}};
  CHECK(fleet.post("/-/reload", "").text ==
        "reloaded\nchanged: log_level\nchanged: 1 rule added: Two\nneeds a restart: grpc_listen\n"
        "warning: no file fits a pattern\n");
  CHECK(fleet.ask(*http::parse_target("PUT", "/-/reload")).status == 200);
  CHECK(fleet.get("/-/reload").status == 405);
  fleet.reloaded = fail(Errc::parse, "rules.yml:3:1: no rule");
  const auto refused = fleet.post("/-/reload", "");
  CHECK(refused.status == 500);
  CHECK(refused.text == "not reloaded: rules.yml:3:1: no rule\n");
  fleet.reloaded = ReloadReport{};
  auto foreign = *http::parse_target("POST", "/-/reload");
  foreign.headers = {{"host", "vigil:8461"}, {"origin", "https://evil.example"}};
  CHECK(fleet.ask(foreign).status == 403);
  foreign.headers["origin"] = "http://vigil:8461";
  CHECK(fleet.ask(foreign).status == 200);
}

TEST_CASE("every route of the API answers HEAD and OPTIONS, and says what else it takes") {
  Fleet fleet;
  const auto options = fleet.ask(*http::parse_target("OPTIONS", "/api/v1/query"));
  CHECK(options.status == 204);
  CHECK(options.response.headers ==
        std::vector<std::pair<std::string, std::string>>{{"Allow", "GET, HEAD, POST, OPTIONS"}});
  CHECK(fleet.ask(*http::parse_target("HEAD", "/api/v1/labels")).status == 200);
  CHECK(fleet.ask(*http::parse_target("DELETE", "/api/v1/query")).status == 405);
}
