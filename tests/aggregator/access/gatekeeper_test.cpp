#include "aggregator/access/gatekeeper.h"

#include "aggregator/access/secrets.h"
#include "tests/aggregator/access/fixture.h"

#include <random>

using namespace vigil;
using namespace vigil::aggregator::access;

namespace {

using Answer = Verdict::Answer;

Presented with_certificate(const std::string& common_name, std::vector<std::string> uris = {}) {
  return {Place::away, "192.0.2.1", "", CertificateNames{common_name, std::move(uris)}};
}

std::string basic(const std::string& user, const std::string& password) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out = "Basic ";
  unsigned bits = 0;
  int count = 0;
  for (const unsigned char c : user + ":" + password) {
    bits = (bits << 8 | c) & 0xFFFF;
    for (count += 8; count >= 6; count -= 6) out += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) out += kDigits[bits << (6 - count) & 63];
  return out;
}

}  // namespace

TEST_CASE("without credentials the place counts, and from away nobody comes in but where all do") {
  Fixture f;
  CHECK(f.ask("", kAdmin, Place::socket).answer == Answer::yes);
  CHECK(f.ask("", kAdmin, Place::loopback).answer == Answer::yes);
  CHECK(f.ask("", kViewer, Place::away).answer == Answer::unauthenticated);
  CHECK(f.ask("", kOpen, Place::away).answer == Answer::yes);
  CHECK_THAT(f.ask("", kViewer, Place::away).why, Catch::Contains("viewer"));

  Fixture closed({.loopback = Role::none, .anonymous = Role::viewer});
  CHECK(closed.ask("", kViewer, Place::loopback).answer == Answer::unauthenticated);
  CHECK(closed.ask("", kViewer, Place::away).answer == Answer::yes);
  CHECK(closed.ask("", kOperator, Place::away).answer == Answer::unauthenticated);
  CHECK(closed.ask("", kAdmin, Place::socket).answer == Answer::yes);
}

TEST_CASE("samples are taken from everybody unless certificates are asked for") {
  CHECK(Fixture().ask("", kAgent, Place::away).answer == Answer::yes);
  CHECK(Fixture({}, true).ask("", kAgent, Place::away).answer == Answer::unauthenticated);
  CHECK(Fixture({.agents = Agents::certificate}).ask("", kAgent).answer == Answer::unauthenticated);
  CHECK(Fixture({.agents = Agents::anyone}, true).ask("", kAgent).answer == Answer::yes);
  CHECK(Fixture({.agents = Agents::anyone}, true).ask("", kViewer).answer == Answer::unauthenticated);
}

TEST_CASE("a host's certificate delivers and sees nothing, whatever else it says") {
  Fixture f({.anonymous = Role::admin, .certificates = {{"web-1", "admin"}}}, true);
  const auto host = with_certificate("web-1", {"vigil:person:root", "vigil:host:web-1"});
  CHECK(f.ask(host, kAgent).answer == Answer::yes);
  CHECK(f.ask(host, kAgent).caller.name == "web-1");
  CHECK(f.ask(host, kAgent).caller.kind == Caller::Kind::host);
  for (const Need& need : {kViewer, kQuery, kMetrics, kOperator, kRemoteWrite, kAdmin})
    CHECK(f.ask(host, need).answer == Answer::forbidden);
}

TEST_CASE("the configuration shuts a host out by its name, whichever way its certificate says it") {
  Fixture f({.certificates = {{"web-2", "none"}, {"web-3", "admin"}}}, true);
  CHECK(f.ask(with_certificate("web-2"), kAgent).answer == Answer::forbidden);
  CHECK(f.ask(with_certificate("any", {"vigil:host:web-2"}), kAgent).answer == Answer::forbidden);
  CHECK(f.ask(with_certificate("web-2", {"vigil:host:web-1"}), kAgent).answer == Answer::yes);
  CHECK(f.ask(with_certificate("any", {"vigil:host:web-3"}), kAgent).answer == Answer::yes);
  CHECK(f.ask(with_certificate("any", {"vigil:host:web-3"}), kViewer).answer == Answer::forbidden);
}

TEST_CASE("a person's certificate has the role of the user of that name, and none where there is none") {
  Fixture f;
  const auto alice = with_certificate("whatever", {"vigil:person:alice"});
  CHECK(f.ask(alice, kViewer).answer == Answer::forbidden);
  REQUIRE(f.accounts->put_user({"alice", "", Role::operating, true}, f.root));
  CHECK(f.ask(alice, kOperator).answer == Answer::yes);
  CHECK(f.ask(alice, kAdmin).answer == Answer::forbidden);
  CHECK(f.ask(alice, kAgent).answer == Answer::forbidden);
  REQUIRE(f.accounts->remove_user("alice", f.root));
  CHECK(f.ask(alice, kViewer).answer == Answer::forbidden);
}

TEST_CASE("who was let in is asked for again: what was taken from him meanwhile he may no longer") {
  Fixture f;
  const auto alice = with_certificate("whatever", {"vigil:person:alice"});
  const auto again = [&f](const Presented& presented, const Need& need) {
    return f.gatekeeper->check_again(presented, need);
  };
  REQUIRE(f.accounts->put_user({"alice", "", Role::operating, true}, f.root));
  CHECK(again(alice, kOperator).answer == Answer::yes);
  REQUIRE(f.accounts->put_user({"alice", "", Role::viewer, false}, f.root));
  CHECK(again(alice, kViewer).answer == Answer::yes);
  CHECK(again(alice, kOperator).answer == Answer::forbidden);
  CHECK_THAT(again(alice, kOperator).why,
             Catch::Contains("alice has the role viewer, and this needs operator"));
  REQUIRE(f.accounts->remove_user("alice", f.root));
  CHECK(again(alice, kViewer).answer == Answer::forbidden);
  CHECK_THAT(again(alice, kViewer).why, Catch::Contains("there is no user alice"));

  const Presented token{Place::away, "192.0.2.1", "Bearer " + f.token("t", Role::viewer), std::nullopt};
  CHECK(again(token, kViewer).answer == Answer::yes);
  REQUIRE(f.accounts->revoke_token("t", f.root));
  for (int i = 0; i < 20; ++i) CHECK(again(token, kViewer).answer == Answer::unauthenticated);
  // It is no try of somebody who guesses.
  CHECK(f.ask("Bearer " + f.token("u", Role::viewer), kViewer).answer == Answer::yes);
}

TEST_CASE("of one's own authority the common name says the role, and others are hosts") {
  Fixture f({.certificates = {{"ops", "admin"}, {"board", "viewer"}, {"old", "none"}}});
  CHECK(f.ask(with_certificate("ops"), kAdmin).answer == Answer::yes);
  CHECK(f.ask(with_certificate("board"), kViewer).answer == Answer::yes);
  CHECK(f.ask(with_certificate("board"), kOperator).answer == Answer::forbidden);
  CHECK(f.ask(with_certificate("old"), kViewer).answer == Answer::forbidden);
  CHECK(f.ask(with_certificate("web-1"), kAgent).answer == Answer::yes);
  CHECK(f.ask(with_certificate("web-1"), kViewer).answer == Answer::forbidden);
  CHECK(f.ask(with_certificate(""), kViewer).answer == Answer::forbidden);
}

TEST_CASE("a token that is shown counts, on this machine and with a certificate, too") {
  Fixture f;
  const std::string viewer = "Bearer " + f.token("v", Role::viewer);
  for (const Place place : {Place::socket, Place::loopback, Place::away}) {
    CHECK(f.ask(viewer, kViewer, place).answer == Answer::yes);
    CHECK(f.ask(viewer, kOperator, place).answer == Answer::forbidden);
  }
  CHECK(f.ask("Bearer nonsense", kViewer, Place::loopback).answer == Answer::unauthenticated);
  CHECK(f.ask("nonsense", kOpen, Place::loopback).answer == Answer::unauthenticated);
  auto host = with_certificate("web-1", {"vigil:host:web-1"});
  host.authorization = viewer;
  CHECK(f.ask(host, kViewer).answer == Answer::yes);
  CHECK_THAT(f.ask(viewer, kAdmin).why, Catch::Contains("token v has the role viewer"));
  const std::string writer = "Bearer " + f.token("w", Role::none, Area::remote_write);
  CHECK(f.ask(writer, kRemoteWrite).answer == Answer::yes);
  CHECK_THAT(f.ask(writer, kViewer).why, Catch::Contains("for remote_write only"));
}

TEST_CASE("after five wrong credentials a minute nobody looks at a source's any more, right ones neither") {
  Fixture f;
  const std::string right = "Bearer " + f.token("v", Role::viewer);
  for (int i = 0; i < 5; ++i) CHECK(f.ask("Bearer wrong", kViewer).answer == Answer::unauthenticated);
  CHECK(f.ask("Bearer wrong", kViewer).answer == Answer::too_many);
  CHECK(f.ask(right, kViewer).answer == Answer::too_many);
  CHECK(f.ask(right, kViewer, Place::away, "192.0.2.2").answer == Answer::yes);
  CHECK(f.ask("", kOpen).answer == Answer::yes);
  f.now = kT0 + 12'000;
  CHECK(f.ask(right, kViewer).answer == Answer::yes);
}

TEST_CASE(
    "tokens that expired or were revoked are no guesses, and keep no right credential of their source out") {
  Fixture f;
  const std::string right = "Bearer " + f.token("v", Role::viewer);
  const std::string expired = "Bearer " + f.token("short", Role::viewer, Area::other, kT0);
  const std::string revoked = "Bearer " + f.token("leaked", Role::viewer);
  REQUIRE(f.accounts->revoke_token("leaked", f.root));
  for (int i = 0; i < 30; ++i) {
    const Verdict first = f.ask(expired, kViewer);
    CHECK(first.answer == Answer::unauthenticated);
    CHECK(first.why == "the token short expired at 2027-01-15T08:00:00Z");
    const Verdict second = f.ask(revoked, kViewer);
    CHECK(second.answer == Answer::unauthenticated);
    CHECK(second.why == "the token leaked was revoked at 2027-01-15T08:00:00Z");
  }
  CHECK(f.ask(expired, kViewer).answer == Answer::too_many);
  CHECK(f.ask(right, kViewer).answer == Answer::yes);
  CHECK(f.ask(expired, kViewer, Place::away, "192.0.2.2").answer == Answer::unauthenticated);
  f.now = kT0 + 1000;
  CHECK(f.ask(expired, kViewer).answer == Answer::unauthenticated);
  // One that is known here says nothing for one that is not.
  for (int i = 0; i < 5; ++i) CHECK(f.ask("Bearer wrong", kViewer).answer == Answer::unauthenticated);
  CHECK(f.ask(expired, kViewer).answer == Answer::too_many);
  CHECK(f.ask(right, kViewer).answer == Answer::too_many);
}

TEST_CASE("requests of a caller are limited, those of agents and senders are not") {
  Fixture f({.max_requests = 1});
  const std::string viewer = "Bearer " + f.token("v", Role::viewer);
  for (int i = 0; i < 10; ++i) CHECK(f.ask(viewer, kViewer).answer == Answer::yes);
  CHECK(f.ask(viewer, kViewer).answer == Answer::too_many);
  CHECK(f.ask(viewer, kViewer, Place::away, "192.0.2.9").answer == Answer::too_many);
  const std::string writer = "Bearer " + f.token("w", Role::none, Area::remote_write);
  for (int i = 0; i < 100; ++i) {
    CHECK(f.ask("", kAgent).answer == Answer::yes);
    CHECK(f.ask(writer, kRemoteWrite).answer == Answer::yes);
  }
  f.now = kT0 + 1000;
  CHECK(f.ask(viewer, kViewer).answer == Answer::yes);
}

TEST_CASE("a password lets in as long as it is the user's, and is looked at once") {
  Fixture f;
  REQUIRE(f.accounts->put_user({"alice", *hash_password("correct horse"), Role::operating, true}, f.root));
  REQUIRE(f.accounts->put_user({"badge", "", Role::admin, true}, f.root));
  const std::string right = basic("alice", "correct horse");
  const Presented presented{Place::away, "192.0.2.1", right, std::nullopt};
  CHECK(f.gatekeeper->check(presented, kOperator).answer == Answer::ask_slowly);
  const Verdict first = f.ask(right, kOperator);
  CHECK(first.answer == Answer::yes);
  CHECK(first.caller.name == "alice");
  CHECK(first.caller.kind == Caller::Kind::user);
  CHECK(f.gatekeeper->check(presented, kOperator).answer == Answer::yes);
  CHECK(f.gatekeeper->check(presented, kAdmin).answer == Answer::forbidden);
  CHECK(f.ask(basic("alice", "correct horsf"), kViewer).answer == Answer::unauthenticated);
  CHECK(f.ask(basic("nobody", "correct horse"), kViewer).answer == Answer::unauthenticated);
  CHECK(f.ask(basic("badge", ""), kViewer).answer == Answer::unauthenticated);

  f.now = kT0 + Passwords::kRememberedMs;
  CHECK(f.gatekeeper->check(presented, kOperator).answer == Answer::ask_slowly);
  CHECK(f.ask(right, kOperator).answer == Answer::yes);
  REQUIRE(f.accounts->put_user({"alice", *hash_password("another horse"), std::nullopt, false}, f.root));
  CHECK(f.ask(right, kOperator).answer == Answer::unauthenticated);
  CHECK(f.ask(basic("alice", "another horse"), kOperator).answer == Answer::yes);
  REQUIRE(f.accounts->remove_user("alice", f.root));
  CHECK(f.ask(basic("alice", "another horse"), kViewer).answer == Answer::unauthenticated);
}

TEST_CASE("of 10,000 wrong, expired, revoked and maimed tokens none lets in") {
  Fixture f;
  std::vector<std::string> bad;
  std::vector<std::string> good;
  for (int i = 0; i < 20; ++i) {
    good.push_back(f.token(fmt::format("good{}", i), Role::admin));
    bad.push_back(f.token(fmt::format("expired{}", i), Role::admin, Area::other, kT0));
    bad.push_back(f.token(fmt::format("revoked{}", i), Role::admin));
    REQUIRE(f.accounts->revoke_token(fmt::format("revoked{}", i), f.root));
  }
  std::mt19937 random(7);
  while (bad.size() < 10'000) {
    std::string token = bad.size() % 2 == 0 ? *new_token() : good[random() % good.size()];
    if (bad.size() % 2 != 0) token[4 + random() % 43] ^= static_cast<char>(1 + random() % 7);
    bad.push_back(std::move(token));
  }
  std::size_t let_in = 0;
  for (std::size_t i = 0; i < bad.size(); ++i) {
    // Each from another source, or most of them would not be looked at.
    const auto verdict = f.ask("Bearer " + bad[i], kViewer, Place::away, std::to_string(i));
    CHECK(verdict.answer == Answer::unauthenticated);
    if (verdict.answer == Answer::yes) ++let_in;
  }
  CHECK(let_in == 0);
  for (const std::string& token : good) CHECK(f.ask("Bearer " + token, kAdmin).answer == Answer::yes);
}
