// What only the aggregator's doctor judges.
#include "aggregator/doctor/doctor.h"

#include "aggregator/doctor/authority_checks.h"
#include "aggregator/identity/authority_files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <filesystem>

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

TEST_CASE("the authority's certificates are in order, late or over by their times") {
  constexpr std::int64_t kMade = 1'790'000'000'000;
  constexpr std::int64_t kADay = 86'400'000;
  const test::TempDir dir;
  const std::string folder = dir.file("identity");
  CHECK(check_authority(look_at_authority(folder), kMade).at(0).verdict == Verdict::problem);
  REQUIRE(identity::set_up(folder, {"localhost"}, {}, {kMade, std::chrono::hours(24 * 365)}));
  const AuthorityFacts facts = look_at_authority(folder);
  const auto verdicts = [&](std::int64_t day) {
    const auto findings = check_authority(facts, kMade + day * kADay);
    REQUIRE(findings.size() == 2);
    for (const auto& finding : findings) CHECK(finding.fix.empty() == (finding.verdict == Verdict::ok));
    return std::pair{findings[0].verdict, findings[1].verdict};  // the authority's, the server's
  };
  CHECK(verdicts(1) == std::pair{Verdict::ok, Verdict::ok});
  CHECK(verdicts(-1) == std::pair{Verdict::problem, Verdict::problem});
  CHECK(verdicts(260) == std::pair{Verdict::ok, Verdict::ok});
  CHECK(verdicts(300) == std::pair{Verdict::ok, Verdict::warning});
  CHECK(verdicts(365) == std::pair{Verdict::ok, Verdict::problem});
  CHECK(verdicts(3000).first == Verdict::warning);
  CHECK(verdicts(3653).first == Verdict::problem);
  const std::string aside = dir.file("identity.db");
  std::filesystem::rename(identity::database_path(folder), aside);
  CHECK_THAT(check_authority(look_at_authority(folder), kMade).at(0).seen,
             Catch::Contains("identity.db is gone"));
  std::filesystem::rename(aside, identity::database_path(folder));
  std::filesystem::remove(identity::key_path(folder));
  CHECK_THAT(check_authority(look_at_authority(folder), kMade).at(0).seen, Catch::Contains("ca.key"));
}

}  // namespace vigil::aggregator
