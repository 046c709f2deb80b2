#include "aggregator/http/cors.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator::http;

namespace {

std::vector<std::string> names(const Cors& cors, std::string_view path, std::string_view origin) {
  Response response;
  cors.add_headers(path, origin, response);
  std::vector<std::string> names;
  for (const auto& [name, value] : response.headers) names.push_back(fmt::format("{}: {}", name, value));
  return names;
}

Request from(const std::map<std::string, std::string>& headers) {
  Request request;
  request.headers = headers;
  return request;
}

}  // namespace

TEST_CASE("without an expression no origin is allowed, and nothing is said of it") {
  const auto cors = Cors::create("");
  REQUIRE(cors);
  CHECK_FALSE(cors->allows("https://a.example"));
  CHECK(names(*cors, "/api/v1/query", "https://a.example").empty());
}

TEST_CASE("an origin must match as a whole") {
  const auto cors = Cors::create("https?://grafana\\.example");
  REQUIRE(cors);
  CHECK(cors->allows("https://grafana.example"));
  CHECK_FALSE(cors->allows("https://grafana.example.evil"));
  CHECK_FALSE(cors->allows("xhttps://grafana.example"));
  CHECK_FALSE(cors->allows(""));
  CHECK(names(*cors, "/api/v1/query", "https://grafana.example") ==
        std::vector<std::string>{
            "Vary: Origin", "Access-Control-Allow-Headers: Accept, Authorization, Content-Type, Origin",
            "Access-Control-Allow-Methods: GET, POST, OPTIONS",
            "Access-Control-Allow-Origin: https://grafana.example", "Access-Control-Expose-Headers: Date"});
  CHECK(names(*cors, "/api/v1/query", "https://evil.example") == std::vector<std::string>{"Vary: Origin"});
  CHECK(names(*cors, "/metrics", "https://grafana.example").empty());
  const auto any = Cors::create(".*");
  REQUIRE(any);
  CHECK(names(*any, "/api/v1/query", "https://a.example")[3] == "Access-Control-Allow-Origin: *");
  CHECK(Cors::create("(").error().code == Errc::invalid_argument);
}

TEST_CASE("requests of pages of other origins are told from one's own and from programs") {
  const Cors none;
  CHECK_FALSE(none.is_foreign(from({})));
  CHECK_FALSE(none.is_foreign(from({{"host", "a:1"}, {"origin", "http://a:1"}})));
  CHECK(none.is_foreign(from({{"host", "a:1"}, {"origin", "http://b:1"}})));
  CHECK(none.is_foreign(from({{"host", "a:1"}, {"origin", "null"}})));
  CHECK(none.is_foreign(from({{"host", "a:1"}, {"sec-fetch-site", "cross-site"}})));
  CHECK_FALSE(Cors::create("http://b:1")->is_foreign(from({{"host", "a:1"}, {"origin", "http://b:1"}})));
}
