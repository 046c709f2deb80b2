// The gatekeeper with people of an OpenID Connect provider beside vigil's own tokens.
#include "aggregator/access/gatekeeper.h"

#include "tests/aggregator/access/fixture.h"
#include "tests/aggregator/access/oidc/issuer.h"

#include <random>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::access;

namespace {

using Answer = Verdict::Answer;
using boost::json::object;

/// As Fixture, with an issuer.
struct House : Fixture {
  House() {
    issuer.pages[issuer.url("/keys")] = {200, oidc::jwks_of({&key})};
    gatekeeper = std::make_unique<Gatekeeper>(
        Gatekeeper::Options{AccessConfig{}, false, [this] { return now.load(); }, &people}, *accounts,
        registry);
    people.start();
  }
  ~House() { people.stop(); }
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  std::string alice(const object& claims = oidc::claims_of_alice()) const {
    return "Bearer " + oidc::sign(key, claims);
  }

  oidc::Signer key = oidc::make_signer("k1", "ES256");
  oidc::FakeIssuer issuer;
  oidc::People people{oidc::config_for_alice(), issuer.web(), [this] { return now.load(); }, registry};
};

}  // namespace

TEST_CASE("somebody with a token of the provider is known by its name, with a role of its groups") {
  House house;
  const Verdict verdict = house.ask(house.alice(), kOperator);
  CHECK(verdict.answer == Answer::yes);
  CHECK(verdict.caller.kind == Caller::Kind::oidc);
  CHECK(verdict.caller.name == "oidc:alice@example.org");
  CHECK(verdict.caller == house.gatekeeper->identify({Place::away, "", house.alice(), std::nullopt}));
  CHECK(house.ask(house.alice(), kAdmin, Place::socket).answer == Answer::forbidden);
  CHECK_THAT(house.ask(house.alice(), kAdmin).why,
             Catch::StartsWith("oidc:alice@example.org has the role operator"));
  object nobody = oidc::claims_of_alice();
  nobody.erase("groups");
  CHECK(house.ask(house.alice(nobody), kViewer).answer == Answer::forbidden);
  CHECK(house.ask(house.alice(nobody), kAgent).answer == Answer::forbidden);
  CHECK(house.ask(house.alice(), kAgent).answer == Answer::forbidden);
  CHECK(house.ask("Bearer " + house.token("v", Role::viewer), kViewer).answer == Answer::yes);
}

TEST_CASE("a token that expires lets in no more") {
  House house;
  CHECK(house.ask(house.alice(), kViewer).answer == Answer::yes);
  house.now = kT0 + 300'000 + 60'000;
  CHECK(house.ask(house.alice(), kViewer).answer == Answer::unauthenticated);
}

TEST_CASE("while the provider is away nobody is locked out for trying") {
  House house;
  house.people.stop();
  house.issuer.is_away = true;
  const oidc::Signer next = oidc::make_signer("k2", "ES256");
  house.now = kT0 + oidc::People::kPauseMs;
  house.people.refresh();
  const std::string token = "Bearer " + oidc::sign(next, oidc::claims_of_alice());
  for (int i = 0; i < 20; ++i) {
    const Verdict verdict = house.ask(token, kViewer);
    CHECK(verdict.answer == Answer::unauthenticated);
    CHECK_THAT(verdict.why, Catch::Contains("cannot be asked"));
  }
}

TEST_CASE("what lasts ends when the provider gives up the key that let it in, and not while it is away") {
  House house;
  const Presented alice{Place::away, "192.0.2.1", house.alice(), std::nullopt};
  REQUIRE(house.ask(alice, kViewer).answer == Answer::yes);
  house.people.stop();
  const auto again_after = [&](const std::string& keys, bool is_away) {
    house.issuer.pages[house.issuer.url("/keys")] = {200, keys};
    house.issuer.is_away = is_away;
    house.now += oidc::People::kPauseMs;
    house.people.refresh();
    return house.gatekeeper->check_again(alice, kViewer).answer;
  };
  const oidc::Signer next = oidc::make_signer("k2", "ES256");
  const std::string both = oidc::jwks_of({&house.key, &next});
  const std::string without = oidc::jwks_of({&next});
  CHECK(again_after(both, false) == Answer::yes);
  CHECK(again_after(without, true) == Answer::yes);
  CHECK(again_after(without, false) == Answer::unauthenticated);
  CHECK(again_after(both, true) == Answer::yes);  // nobody can say
  CHECK(again_after(both, false) == Answer::yes);
}

TEST_CASE("of 10,000 forged tokens none lets in, and five of a source are looked at") {
  House house;
  REQUIRE(house.ask(house.alice(), kViewer).answer == Answer::yes);
  const std::string good = oidc::sign(house.key, oidc::claims_of_alice());
  const oidc::Signer thief = oidc::make_signer("k1", "ES256");
  std::vector<std::string> forged = {
      oidc::sign(thief, oidc::claims_of_alice()),
      oidc::sign_by_secret(oidc::pem_of(house.key), R"({"alg":"HS256","kid":"k1"})",
                           boost::json::serialize(oidc::claims_of_alice())),
      oidc::base64url(R"({"alg":"none"})") + "." +
          oidc::base64url(boost::json::serialize(oidc::claims_of_alice())) + "."};
  std::mt19937 random(7);
  while (forged.size() < 10'000) {
    std::string token = good;
    char& c = token[random() % token.size()];
    c = c == 'A' ? 'B' : 'A';
    if (token != good) forged.push_back(std::move(token));
  }
  for (std::size_t i = 0; i < forged.size(); ++i)
    CHECK(house.ask("Bearer " + forged[i], kViewer, Place::away, std::to_string(i)).answer ==
          Answer::unauthenticated);
  for (int i = 0; i < 5; ++i) (void)house.ask("Bearer " + forged[i], kViewer);
  CHECK(house.ask("Bearer " + good, kViewer).answer == Answer::too_many);
  CHECK(house.ask("Bearer " + good, kViewer, Place::away, "192.0.2.2").answer == Answer::yes);
}
