// What the agent's doctor thinks of identity.pem.
#include "agent/doctor/identity_checks.h"

#include "agent/enrolment/renewal.h"
#include "common/text/human.h"
#include "common/tls/signing.h"
#include "tests/support/catch.h"

#include <algorithm>

namespace vigil::agent {
namespace {

using doctor::Finding;
using doctor::Findings;
using doctor::Verdict;

constexpr std::int64_t kEnrolled = 1'790'000'000'000;
constexpr std::int64_t kOneDay = 86'400'000;

/// A host that was enrolled at kEnrolled for 90 days, by an authority of ten years.
IdentityFacts enrolled_facts() {
  const std::string authority_key = tls::make_key().value();
  const std::string authority =
      tls::make_authority(authority_key, "vigil CA", {kEnrolled, kEnrolled + 3653 * kOneDay}).value();
  const std::string key = tls::make_key().value();
  const std::string certificate = tls::issue({authority, authority_key}, tls::public_half(key).value(),
                                             {"web-1", {"vigil:host:web-1"}, {}, tls::Purpose::client},
                                             {kEnrolled, kEnrolled + 90 * kOneDay})
                                      .value();
  IdentityFacts facts;
  facts.path = "/var/lib/vigil-agent/identity.pem";
  facts.is_there = true;
  facts.owner = "vigil-agent";
  facts.identity = make_identity("mon:8460", {authority, certificate, key}).value();
  facts.machine_name = "web-1.example.org";
  return facts;
}

/// The worst of them, which comes with what would mend it.
Finding worst_of(const IdentityFacts& facts, std::int64_t now_ms = kEnrolled + kOneDay) {
  const Findings findings = check_identity(facts, "vigil-agent", now_ms);
  REQUIRE_FALSE(findings.empty());
  for (const Finding& finding : findings) {
    CHECK(finding.area == "identity");
    CHECK(finding.fix.empty() == (finding.verdict == Verdict::ok));
  }
  return *std::ranges::max_element(findings, {}, [](const Finding& each) { return each.verdict; });
}

}  // namespace

TEST_CASE("an identity that is good is in order, whatever domain the system's name has") {
  IdentityFacts facts = enrolled_facts();
  CHECK(worst_of(facts).verdict == Verdict::ok);
  facts.machine_name = "WEB-1";
  CHECK(worst_of(facts).verdict == Verdict::ok);
}

TEST_CASE("a host that is not enrolled is a problem only where it has to be") {
  IdentityFacts facts;
  facts.path = "/var/lib/vigil-agent/identity.pem";
  CHECK(worst_of(facts).verdict == Verdict::ok);
  facts.is_needed = true;
  CHECK(worst_of(facts).verdict == Verdict::problem);
  CHECK_THAT(worst_of(facts).fix, Catch::Contains("vigil agent invite"));
}

TEST_CASE("time: not yet good, good, to be renewed, over") {
  const IdentityFacts facts = enrolled_facts();
  const std::int64_t due = renewal_due_ms(*facts.identity);
  CHECK_THAT(worst_of(facts, kEnrolled - kOneDay).seen, Catch::Contains("good only from"));
  CHECK(worst_of(facts, kEnrolled - kOneDay).verdict == Verdict::problem);
  CHECK(worst_of(facts, due).verdict == Verdict::ok);
  CHECK(worst_of(facts, due + kOneDay).verdict == Verdict::warning);
  CHECK_THAT(worst_of(facts, due + kOneDay).seen, Catch::Contains("renewal is due since"));
  CHECK(worst_of(facts, kEnrolled + 90 * kOneDay).verdict == Verdict::problem);
  CHECK_THAT(worst_of(facts, kEnrolled + 90 * kOneDay).fix, Catch::Contains("invite --name web-1"));
}

TEST_CASE("the authority it trusts is looked at, too") {
  IdentityFacts facts = enrolled_facts();
  facts.identity->not_after_ms = kEnrolled + 4000 * kOneDay;
  CHECK(worst_of(facts).verdict == Verdict::ok);
  const auto at = [&](std::int64_t day) {
    const Findings findings = check_identity(facts, "vigil-agent", kEnrolled + day * kOneDay);
    const auto found = std::ranges::find(findings, "authority", &Finding::about);
    REQUIRE(found != findings.end());
    return found->verdict;
  };
  CHECK(at(3000) == Verdict::ok);
  CHECK(at(3400) == Verdict::warning);
  CHECK(at(3653) == Verdict::problem);
}

TEST_CASE("another name than the configuration's is a problem, another than the system's a warning") {
  IdentityFacts facts = enrolled_facts();
  facts.machine_name = "web-2";
  CHECK(worst_of(facts).verdict == Verdict::warning);
  CHECK_THAT(worst_of(facts).fix, Catch::Contains("a copy of web-1"));
  facts.configured_name = "web-2";
  CHECK(worst_of(facts).verdict == Verdict::problem);
  facts.configured_name = "web-1";
  CHECK(worst_of(facts).verdict == Verdict::warning);
}

TEST_CASE("what cannot be read or used says what would mend it") {
  IdentityFacts facts = enrolled_facts();
  facts.identity.reset();
  facts.trouble = fail(Errc::permission, "others may read it");
  CHECK_THAT(worst_of(facts).fix, Catch::Contains("chmod 600 " + facts.path));
  facts.trouble = fail(Errc::parse, "has no line that begins with 'aggregator: '");
  CHECK_THAT(worst_of(facts).fix, Catch::Contains("--force"));
  facts.is_there = false;  // its folder cannot be looked into
  facts.trouble = fail(Errc::permission, "denied");
  CHECK(worst_of(facts).verdict == Verdict::problem);
}

TEST_CASE("a file of another user, one that is not used, and one that was revoked are told") {
  IdentityFacts facts = enrolled_facts();
  facts.owner = "root";
  CHECK(worst_of(facts).fix == "chown vigil-agent " + facts.path);
  facts.owner = "vigil-agent";
  facts.refused = "the certificate of web-1 was revoked at 2026-11-30T00:00:00Z";
  CHECK(worst_of(facts).verdict == Verdict::problem);
  CHECK_THAT(worst_of(facts).seen, Catch::Contains("was revoked"));
  facts.is_used = false;
  CHECK(worst_of(facts).verdict == Verdict::warning);
}

TEST_CASE(
    "an aggregator that takes our certificate no more is told with what is true of it, and what mends it") {
  constexpr std::int64_t kEnd = kEnrolled + 90 * kOneDay;
  doctor::PeerFacts facts;
  facts.address = "mon:8460";
  facts.is_tls = true;
  facts.reached = doctor::PeerFacts::Reached::refused_us;
  facts.trouble = "unexpected eof while reading";
  facts.ours_ends_ms = kEnd;
  const Finding over = check_way(facts, "web-1", kEnd).front();
  CHECK(over.area == "certificates");
  CHECK(over.seen == "it does not take our certificate, which expired at " + format_rfc3339(kEnd));
  CHECK_THAT(over.fix, Catch::StartsWith("vigil agent invite --name web-1 --replace"));
  CHECK_THAT(check_way(facts, "", kEnd).front().fix, Catch::EndsWith("look at tls in agent.yml"));
  const Finding good = check_way(facts, "web-1", kEnd - 1).front();
  CHECK_THAT(good.seen, Catch::EndsWith("unexpected eof while reading"));
  CHECK_THAT(good.fix, Catch::StartsWith("vigil agent invite --name web-1 --replace"));
  facts.reached = doctor::PeerFacts::Reached::no_answer;
  CHECK_THAT(check_way(facts, "web-1", kEnd).front().fix, Catch::StartsWith("start the aggregator"));
}

TEST_CASE("an agent with certificates of its own is told whether it is let in, and what would let it in") {
  const std::string certificate = enrolled_facts().identity->tls.cert;
  constexpr std::int64_t kNow = kEnrolled + kOneDay;
  CHECK(check_standing({"web-1", certificate, ""}, kNow).verdict == Verdict::ok);
  const auto refused = [&](const std::string& name, const std::string& shown, std::int64_t now_ms) {
    const Finding finding = check_standing({name, shown, "as the aggregator says it"}, now_ms);
    CHECK(finding.verdict == Verdict::problem);
    CHECK(finding.seen == "as the aggregator says it");
    return finding.fix;
  };
  CHECK_THAT(refused("web-1", "", kNow), Catch::Contains("vigil agent invite --name web-1"));
  CHECK_THAT(refused("web-2", certificate, kNow), Catch::StartsWith("name: web-1 in agent.yml"));
  CHECK_THAT(refused("web-1", certificate, kNow), Catch::Contains("tls.client_ca"));
  CHECK_THAT(refused("web-1", certificate, kNow + 91 * kOneDay), Catch::StartsWith("it expired at"));
}

}  // namespace vigil::agent
