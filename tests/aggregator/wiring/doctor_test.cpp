// What only the aggregator's doctor judges.
#include "aggregator/doctor/doctor.h"

#include "tests/support/catch.h"

namespace vigil::aggregator {

using doctor::Verdict;

TEST_CASE("an aggregator that is not ready says why") {
  CHECK(check_ready("http_listen", "HTTP/1.1 200 OK\r\n\r\nready\n").verdict == Verdict::ok);
  const auto finding =
      check_ready("http_listen", "HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nthe history failed");
  CHECK(finding.verdict == Verdict::problem);
  CHECK(finding.seen == "is not ready: the history failed");
}

TEST_CASE("plain text beyond this machine is a problem, HTTP beyond it a warning") {
  AggregatorConfig config;
  CHECK(check_exposure(config).empty());
  config.http_listen = "0.0.0.0:8461";
  REQUIRE(check_exposure(config).size() == 1);
  CHECK(check_exposure(config)[0].verdict == Verdict::warning);
  config.grpc_listen = "0.0.0.0:8460";
  CHECK(check_exposure(config)[0].verdict == Verdict::problem);
  config.http.tls = HttpTls::off;
  config.tls.cert = "/etc/vigil/server.pem";
  REQUIRE(check_exposure(config).size() == 1);
  CHECK(check_exposure(config)[0].verdict == Verdict::warning);
  config.http.tls = HttpTls::automatic;
  CHECK(check_exposure(config).empty());
}

}  // namespace vigil::aggregator
