// The issuer's keys come and go, and the issuer, too.
#include "aggregator/access/oidc/people.h"

#include "aggregator/access/oidc/device_login.h"
#include "tests/aggregator/access/oidc/issuer.h"
#include "tests/support/catch.h"

#include <future>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::access;
using namespace vigil::aggregator::access::oidc;

namespace {

using State = Opinion::State;
using boost::json::object;
using boost::json::serialize;

struct World {
  World() { publish({&first}); }
  void publish(const std::vector<const Signer*>& signers) {
    issuer.pages[issuer.url("/keys")] = {200, jwks_of(signers)};
  }
  void pass(std::int64_t ms) { now += ms; }

  Signer first = make_signer("k1", "ES256");
  Signer second = make_signer("k2", "ES256");
  FakeIssuer issuer;
  std::int64_t now = kNow;
  self::Registry registry;
  People people{config_for_alice(), issuer.web(), [this] { return now; }, registry};
};

std::string json(const object& fields) {
  return serialize(fields);
}

}  // namespace

TEST_CASE("the first token has the keys fetched, and the next ones ask nobody") {
  World world;
  const std::string token = sign(world.first, claims_of_alice());
  CHECK(world.people.look(token).state == State::later);
  CHECK(world.issuer.asked.empty());
  CHECK(world.people.settle(token).state == State::known);
  CHECK(world.issuer.asked.size() == 2);
  CHECK(world.people.look(token).person.name == "oidc:alice@example.org");
  CHECK(world.people.look(sign(world.first, claims_of_alice())).state == State::known);
  CHECK(world.issuer.asked.size() == 2);
  world.pass(300'000 + 60'000);
  CHECK_THAT(world.people.look(token).why, Catch::Contains("expired"));  // also what is remembered ends
}

TEST_CASE("a new key of the issuer is found by the first token that it signed") {
  World world;
  world.people.refresh();
  world.publish({&world.first, &world.second});
  const std::string token = sign(world.second, claims_of_alice());
  CHECK(world.people.settle(token).state == State::no_key);  // asked just now
  world.pass(People::kPauseMs);
  CHECK(world.people.look(token).state == State::later);
  CHECK(world.people.settle(token).state == State::known);
}

TEST_CASE("who was let in by a key that is gone is not any more") {
  World world;
  const std::string token = sign(world.first, claims_of_alice());
  CHECK(world.people.settle(token).state == State::known);
  world.publish({&world.second});
  world.pass(People::kPauseMs);
  CHECK(world.people.look(token).state == State::known);
  world.people.refresh();
  CHECK(world.people.look(token).state == State::no_key);
}

TEST_CASE("tokens by keys that nobody has do not make the issuer busy") {
  World world;
  world.people.refresh();
  const Signer stranger = make_signer("k3", "ES256");
  const auto before = world.issuer.asked.size();
  for (int i = 0; i < 100; ++i) {
    object claims = claims_of_alice();
    claims["jti"] = i;
    const auto opinion = world.people.settle(sign(stranger, claims));
    CHECK(opinion.state == State::no_key);
    world.pass(100);
  }
  CHECK(world.issuer.asked.size() == before);  // 10 s of them, and the pause
  CHECK(world.people.settle(sign(stranger, claims_of_alice())).state == State::no_key);
  CHECK(world.issuer.asked.size() == before + 2);
  object foreign = claims_of_alice();
  foreign["iss"] = "https://evil.example";
  world.pass(People::kPauseMs);
  CHECK(world.people.look(sign(stranger, foreign)).state == State::wrong);  // and this one asks nobody
}

TEST_CASE("while the issuer is away its last keys count, and it is said that it is away") {
  World world;
  const std::string token = sign(world.first, claims_of_alice());
  world.issuer.is_away = true;
  const auto nobody = world.people.settle(token);
  CHECK(nobody.state == State::away);
  CHECK_THAT(nobody.why, Catch::Contains("Connection refused"));
  CHECK_FALSE(world.people.endpoints());
  world.issuer.is_away = false;
  world.pass(People::kPauseMs);
  CHECK(world.people.settle(token).state == State::known);
  world.issuer.is_away = true;
  world.pass(People::kPauseMs);
  world.people.refresh();
  CHECK(world.people.look(token).state == State::known);
  CHECK(world.people.look(sign(world.first, claims_of_alice())).state == State::known);
  CHECK(world.people.endpoints());
  CHECK(world.people.settle(sign(world.second, claims_of_alice())).state == State::away);
}

TEST_CASE("answers that are not an issuer's change nothing") {
  World world;
  world.people.refresh();
  const std::string token = sign(world.first, claims_of_alice());
  const auto configuration = world.issuer.url("/.well-known/openid-configuration");
  const auto refused = [&](const std::string& page, const WebReply& reply, const std::string& why) {
    INFO(page << " " << reply.body);
    const WebReply before = std::exchange(world.issuer.pages[page], reply);
    world.pass(People::kPauseMs);
    world.people.refresh();
    CHECK(world.people.look(token).state == State::known);
    CHECK_THAT(world.people.look(sign(world.second, claims_of_alice())).why, Catch::Contains(why));
    world.issuer.pages[page] = before;
  };
  const auto document = [&](const char* name, const char* value) {
    object fields{{"issuer", "https://id.example.org"}, {"jwks_uri", world.issuer.url("/keys")}};
    fields[name] = value;
    return WebReply{200, json(fields)};
  };
  refused(configuration, document("issuer", "https://id.example.org/"), "to the letter");
  refused(configuration, document("issuer", "https://evil.example"), "to the letter");
  refused(configuration, document("jwks_uri", "http://id.example.org/keys"), "https");
  refused(configuration, document("jwks_uri", "http://127.0.0.1/keys"), "https");
  refused(configuration, document("jwks_uri", "file:///etc/passwd"), "https");
  refused(configuration, document("jwks_uri", "https://root@evil.example/"), "https");
  refused(configuration, document("jwks_uri", ""), "lacks jwks_uri");
  refused(configuration, {500, "{}"}, "HTTP 500");
  refused(configuration, {302, ""}, "HTTP 302");
  refused(world.issuer.url("/keys"), {200, R"({"keys":[]})"}, "none of the issuer's keys");
  refused(world.issuer.url("/keys"), {200, "<html>"}, "not JSON");
}

TEST_CASE("what is remembered has a bound") {
  World world;
  world.people.refresh();
  std::string last;
  for (std::size_t i = 0; i < People::kMostRemembered + 100; ++i) {
    object claims = claims_of_alice();
    claims["jti"] = i;
    last = sign(world.first, claims);
    REQUIRE(world.people.look(last).state == State::known);
  }
  CHECK(world.people.look(last).state == State::known);
}

TEST_CASE("who can wait is told once the issuer has answered") {
  World world;
  world.people.start();
  std::promise<Opinion> answer;
  REQUIRE(world.people.settle_later(sign(world.first, claims_of_alice()),
                                    [&answer](Opinion opinion) { answer.set_value(std::move(opinion)); }));
  CHECK(answer.get_future().get().state == State::known);
  world.people.stop();
}

TEST_CASE("an issuer is https, or on loopback") {
  for (const char* good : {"https://id.example.org", "https://id.example.org:8443/realms/ops",
                           "http://127.0.0.1:8080", "http://localhost:8080/x", "http://[::1]:8080"}) {
    INFO(good);
    CHECK(check_issuer_url(good));
  }
  for (const char* bad :
       {"", "id.example.org", "http://id.example.org", "http://127.0.0.1.evil.example",
        "http://localhost.evil.example", "https://", "https://:443", "https://me:secret@id.example.org",
        "https://id.example.org?x", "https://id.example.org#x", "https://id.example.org/a b", "file:///x",
        "http://127.0.0.1@evil.example", "http://evil.example\\@127.0.0.1"}) {
    INFO(bad);
    CHECK_FALSE(check_issuer_url(bad));
  }
  CHECK(discovery_url("https://id.example.org/") ==
        "https://id.example.org/.well-known/openid-configuration");
  CHECK(discovery_url("https://a/realms/ops") == "https://a/realms/ops/.well-known/openid-configuration");
}

TEST_CASE("a device login goes from a code to a token, and on to the next") {
  World world;
  DeviceLogin login(world.people, world.issuer.web(), "s3 cret");
  auto& device = world.issuer.pages[world.issuer.url("/device")];
  auto& token = world.issuer.pages[world.issuer.url("/token")];
  device = {200, json({{"device_code", "dc"},
                       {"user_code", "WDJB-MJHT"},
                       {"verification_uri", "https://id.example.org/device"},
                       {"verification_uri_complete", "https://id.example.org/device?user_code=WDJB-MJHT"},
                       {"expires_in", 1800}})};
  const auto started = login.start();
  REQUIRE(started);
  CHECK(started->user_code == "WDJB-MJHT");
  CHECK(started->interval_ms == 5000);
  CHECK(started->valid_ms == 1'800'000);
  CHECK(world.issuer.asked.back().form == "scope=openid+email+profile+offline_access&client_id=vigil");
  CHECK(world.issuer.asked.back().user == "vigil");
  CHECK(world.issuer.asked.back().password == "s3+cret");

  token = {400, json({{"error", "authorization_pending"}})};
  CHECK(login.poll("dc")->state == Polled::State::pending);
  CHECK(world.issuer.asked.back().form ==
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=dc&client_id=vigil");
  token = {400, json({{"error", "slow_down"}})};
  CHECK(login.poll("dc")->state == Polled::State::slow_down);
  token = {400, json({{"error", "access_denied"}})};
  CHECK(login.poll("dc").error().code == Errc::permission);
  token = {400, json({{"error", "expired_token"}})};
  CHECK(login.poll("dc").error().code == Errc::timeout);
  token = {503, ""};
  CHECK(login.poll("dc").error().code == Errc::unavailable);
  token = {200, json({{"access_token", "opaque"},
                      {"id_token", sign(world.first, claims_of_alice())},
                      {"refresh_token", "r1"}})};
  const auto signed_in = login.poll("dc");
  REQUIRE(signed_in);
  CHECK(signed_in->state == Polled::State::signed_in);
  CHECK(signed_in->session.person.name == "oidc:alice@example.org");
  CHECK(signed_in->session.refresh_token == "r1");

  token = {200, json({{"id_token", sign(world.first, claims_of_alice())}})};
  CHECK(login.renew("r1")->refresh_token == "r1");  // stays as it is
  CHECK(world.issuer.asked.back().form == "grant_type=refresh_token&refresh_token=r1&client_id=vigil");
  token = {200, json({{"access_token", sign(world.first, claims_of_alice())}, {"refresh_token", "r2"}})};
  CHECK(login.renew("r1")->refresh_token == "r2");
  token = {400, json({{"error", "invalid_grant"}})};
  CHECK(login.renew("r1").error().code == Errc::permission);
  token = {200, json({{"access_token", "opaque"}})};
  CHECK(login.renew("r1").error().code == Errc::permission);
  CHECK(login.poll("dc").error().code == Errc::conflict);
  token = {400, json({{"error", "a\x1b[2J" + std::string(60'000, 'b')}})};
  CHECK_THAT(login.renew("r1").error().message, !Catch::Contains("\x1b"));
  CHECK(login.renew("r1").error().message.size() < 1000);
  const auto asked = world.issuer.asked.size();
  for (const std::size_t bytes : {std::size_t{0}, kMostTokenBytes + 1}) {
    CHECK(login.poll(std::string(bytes, 'x')).error().code == Errc::invalid_argument);
    CHECK(login.renew(std::string(bytes, 'x')).error().code == Errc::invalid_argument);
  }
  CHECK(world.issuer.asked.size() == asked);
}

TEST_CASE("a provider's page that a person would be sent to is https and can be shown") {
  World world;
  DeviceLogin login(world.people, world.issuer.web(), "");
  auto& device = world.issuer.pages[world.issuer.url("/device")];
  for (const char* page :
       {"http://id.example.org/device", "javascript:alert(1)", "https://id.example.org/\x1b[2J", ""}) {
    INFO(page);
    device = {200, json({{"device_code", "dc"}, {"user_code", "A"}, {"verification_uri", page}})};
    CHECK_FALSE(login.start());
  }
  device = {200, json({{"device_code", "dc"},
                       {"user_code", "A\x1b[2J"},
                       {"verification_uri", "https://id.example.org/d"}})};
  CHECK_FALSE(login.start());
  device = {
      200,
      json({{"device_code", "dc"}, {"user_code", "A"}, {"verification_uri", "https://id.example.org/d"}})};
  CHECK(login.start());
  device = {
      200,
      json({{"device_code", "dc"}, {"user_code", "A"}, {"verification_url", "https://id.example.org/d"}})};
  CHECK(login.start());
  CHECK(world.issuer.asked.back().user.empty());  // a client without a secret says its name in the form only
  device = {400, json({{"error", "unauthorized_client"}})};
  CHECK(login.start().error().code == Errc::unsupported);
}
