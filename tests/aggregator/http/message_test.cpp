#include "aggregator/http/message.h"

#include "aggregator/http/router.h"
#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator::http;

TEST_CASE("a target is split and decoded") {
  const auto request = parse_target("GET", "/a%20b/c?x=1&y=%7Bz%7D+w&x=2&flag&=&bad=%zz%");
  REQUIRE(request);
  CHECK(request->path == "/a b/c");
  CHECK(request->get("x") == "1");
  CHECK(request->query.count("x") == 2);
  CHECK(request->get("y") == "{z} w");
  CHECK(request->query.count("flag") == 1);
  CHECK(request->get("bad") == "%zz%");
  CHECK(request->get("absent", "other") == "other");
  CHECK(parse_target("GET", "http://elsewhere/").error().code == Errc::parse);
}

TEST_CASE("repeated slashes of a path are one, as behind a base URL that ends in a slash") {
  const auto path = [](std::string_view target) { return parse_target("GET", target)->path; };
  CHECK(path("//api/v1/labels?match[]=a//b") == "/api/v1/labels");
  CHECK(parse_target("GET", "/x?match[]=a//b")->get("match[]") == "a//b");
  CHECK(path("/api///v1//label/x/values") == "/api/v1/label/x/values");
  CHECK(path("/api/v1/labels//") == "/api/v1/labels/");
  CHECK(path("//") == "/");
  CHECK(path("/a/%2F%2f/b") == "/a////b");  // of a label's name, say
}

TEST_CASE("errors are JSON with a status that fits") {
  const Response response = error_response(fail(Errc::invalid_argument, "a \"quoted\"\nthing"));
  CHECK(response.status == 400);
  CHECK(response.content_type == "application/json");
  CHECK(response.body ==
        "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"a \\\"quoted\\\"\\nthing\"}\n");
  CHECK(error_response(fail(Errc::unavailable, "x")).status == 503);
}

TEST_CASE("paths are answered exactly, folders by the nearest one above, methods by name") {
  Router router;
  const auto say = [](std::string text) {
    return [text](const Request&) { return Response{200, "text/plain", text, {}}; };
  };
  router.add("GET", "/a", vigil::aggregator::access::kOpen, say("a"));
  router.add("POST", "/a", vigil::aggregator::access::kOpen, say("posted"));
  router.add("GET", "/files/", vigil::aggregator::access::kOpen, say("files"));
  const auto ask = [&](const std::string& method, const std::string& path) {
    const auto found = router.find(method, path);
    if (const auto* response = std::get_if<Response>(&found)) return std::to_string(response->status);
    return std::get<Handler>(std::get<const Route*>(found)->handler)({}).body;
  };
  CHECK(ask("GET", "/a") == "a");
  CHECK(ask("HEAD", "/a") == "a");
  CHECK(ask("POST", "/a") == "posted");
  CHECK(ask("DELETE", "/a") == "405");
  CHECK(ask("OPTIONS", "/a") == "204");
  CHECK(ask("OPTIONS", "/b") == "404");
  CHECK(ask("GET", "/a/b") == "404");
  CHECK(ask("GET", "/files/x/y.css") == "files");
  CHECK(ask("GET", "/files") == "308");  // leads to /files/
  CHECK(ask("GET", "/") == "404");
  router.add("GET", "/", vigil::aggregator::access::kOpen, say("home"));
  CHECK(ask("GET", "/") == "home");
  CHECK(ask("GET", "/b") == "404");
  CHECK(ask("POST", "/b/c") == "404");
}
