#include "agent/enrolment/renewal.h"

#include "common/tls/openssl.h"
#include "common/tls/signing.h"
#include "tests/agent/enrolment/enrolled_host.h"

#include <openssl/x509_vfy.h>

#include <filesystem>

namespace vigil::agent {
namespace {

using namespace testing;

/// The aggregator as the renewal asks it: by its authority, or not at all.
struct Asked {
  explicit Asked(EnrolledHost& the_host) : host(the_host) {}
  RenewalOptions options() {
    return {host.folder, [this] { return host.now_ms; },
            [this](const OwnIdentity& present, const std::string& request) -> Result<RenewedTls> {
              ++times;
              if (is_away) return fail(Errc::unavailable, "away");
              const auto issued = host.aggregator->renew(present.tls.cert, request);
              if (!issued) return issued.error();
              if (is_foreign) {
                const TlsMaterial other = EnrolledHost().present().tls;
                return RenewedTls{other.cert, other.ca};
              }
              return RenewedTls{issued->certificate, issued->authority};
            },
            [this] { ++renewed; }};
  }
  EnrolledHost& host;
  int times = 0;
  int renewed = 0;
  bool is_away = false;
  bool is_foreign = false;
};

constexpr std::int64_t kBriefMs = 30'000;

/// Good from kStart for half a minute; another one each time.
OwnIdentity brief_identity() {
  const std::string authority_key = tls::make_key().value();
  const std::string authority =
      tls::make_authority(authority_key, "vigil CA", {kStart, kStart + kDay}).value();
  const std::string key = tls::make_key().value();
  const std::string certificate =
      tls::issue({authority, authority_key}, tls::public_half(key).value(),
                 {"web-1", {"vigil:host:web-1"}, {}, tls::Purpose::client}, {kStart, kStart + kBriefMs})
          .value();
  return make_identity("mon.example.org:8460", {authority, certificate, key}).value();
}

/// As a TLS peer that trusts `authority` alone looks at who shows `certificate`, at that time.
bool is_trusted(const std::string& certificate, const std::string& authority, std::int64_t at_ms) {
  const auto leaf = tls::parse_certificate(certificate);
  const auto root = tls::parse_certificate(authority);
  REQUIRE(leaf);
  REQUIRE(root);
  const std::unique_ptr<X509_STORE, tls::Freed<X509_STORE_free>> store(::X509_STORE_new());
  const std::unique_ptr<X509_STORE_CTX, tls::Freed<X509_STORE_CTX_free>> look(::X509_STORE_CTX_new());
  ::X509_STORE_add_cert(store.get(), root->get());
  REQUIRE(::X509_STORE_CTX_init(look.get(), store.get(), leaf->get(), nullptr) == 1);
  ::X509_STORE_CTX_set_time(look.get(), 0, at_ms / 1000);
  return ::X509_verify_cert(look.get()) == 1;
}

}  // namespace

TEST_CASE("an agent is never without a good certificate, for ten years") {
  EnrolledHost host;
  Asked asked(host);
  Renewer renewer(asked.options());
  std::string key = host.present().tls.key;
  for (std::int64_t hour = 6; hour < 3600 * 24; hour += 6) {
    host.now_ms = kStart + hour * 3'600'000;
    const int before = asked.renewed;
    renewer.look();
    if (asked.renewed == before && hour % 240 != 0) continue;
    const OwnIdentity present = host.present();
    if (asked.renewed != before) {
      CHECK(present.tls.key != key);
      key = present.tls.key;
    }
    REQUIRE(host.aggregator->may_speak(present.tls.cert, "web-1"));
    REQUIRE(present.not_after_ms - host.now_ms > 22 * kDay);
  }
  CHECK(asked.times == asked.renewed);
  CHECK(asked.renewed >= 3600 / 68);
  CHECK(asked.renewed <= 3600 / 59);
}

TEST_CASE("an authority that renews itself loses no host in fifteen years, and its key stays") {
  EnrolledHost host;
  Asked asked(host);
  Renewer renewer(asked.options());
  const std::string folder = host.dir.file("identity");
  const auto authority_now = [&] {
    return config::read_certificates(authority::authority_path(folder)).value();
  };
  const std::string key = config::read_private_key(authority::key_path(folder)).value();
  std::string before = authority_now();
  int times = 0;
  for (int day = 1; day < 15 * 365; day += 20) {
    host.now_ms = kStart + day * kDay;
    REQUIRE(host.aggregator->tend());
    const std::string now = authority_now();
    times += now == before ? 0 : 1;
    before = now;
    // Both sides, before and after the host has heard of it.
    for (int look = 0; look < 2; ++look) {
      const TlsMaterial own = host.present().tls;
      REQUIRE(is_trusted(host.shown().front(), own.ca, host.now_ms));
      REQUIRE(is_trusted(own.cert, now, host.now_ms));
      REQUIRE(host.aggregator->may_speak(own.cert, "web-1"));
      renewer.look();
    }
    REQUIRE(host.shown().back() == now);
  }
  CHECK(times == 2);  // after two thirds of ten years each
  CHECK(config::read_private_key(authority::key_path(folder)).value() == key);
  CHECK(host.present().tls.ca == before);
  CHECK(asked.times == asked.renewed);
}

TEST_CASE(
    "only the same authority's certificate takes the place of the one that is trusted, and a later one") {
  const std::string key = tls::make_key().value();
  const auto named = [](const std::string& by, const char* name, std::int64_t years) {
    return tls::make_authority(by, name, {kStart, kStart + years * 365 * kDay}).value();
  };
  const std::string present = named(key, "vigil CA 1", 10);
  const std::string later = named(key, "vigil CA 1", 11);
  CHECK(authority_from_now_on(present, later) == later);
  CHECK(authority_from_now_on(later, present) == later);
  CHECK(authority_from_now_on(present, named(tls::make_key().value(), "vigil CA 1", 11)) == present);
  CHECK(authority_from_now_on(present, named(key, "vigil CA 2", 11)) == present);
  CHECK(authority_from_now_on(present, later + named(tls::make_key().value(), "vigil CA 3", 11)) == present);
  CHECK(authority_from_now_on(present, "") == present);
  CHECK(authority_from_now_on(present, "nonsense") == present);
}

TEST_CASE("a fleet that was enrolled in one hour does not renew in one hour") {
  OwnIdentity identity;
  identity.not_before_ms = kStart;
  identity.not_after_ms = kStart + 90 * kDay;
  std::int64_t first = identity.not_after_ms;
  std::int64_t last = 0;
  for (const std::string serial : {"00000000", "40000000", "80000000", "c0000000", "ffffffff"}) {
    identity.serial = "5a" + serial;
    const std::int64_t due = renewal_due_ms(identity);
    CHECK(due >= kStart + 60 * kDay);
    CHECK(due <= kStart + 675 * kDay / 10);
    first = std::min(first, due);
    last = std::max(last, due);
  }
  CHECK(last - first > 7 * kDay);
}

TEST_CASE(
    "while the aggregator is away renewing is tried again, less and less often, and the old one is kept") {
  EnrolledHost host;
  Asked asked(host);
  asked.is_away = true;
  Renewer renewer(asked.options());
  const OwnIdentity before = host.present();
  const std::int64_t due = renewal_due_ms(before);
  for (host.now_ms = due; host.now_ms < due + kDay; host.now_ms += 10'000) renewer.look();
  CHECK(asked.times >= 24);
  CHECK(asked.times <= 32);
  CHECK(asked.renewed == 0);
  CHECK(host.present().serial == before.serial);
  asked.is_away = false;
  for (const std::int64_t end = host.now_ms + 3'600'000; host.now_ms <= end; host.now_ms += 10'000)
    renewer.look();
  CHECK(asked.renewed == 1);
  CHECK(host.present().serial != before.serial);
}

TEST_CASE(
    "one that expired after a short life is told of once a minute at first, and one enrolled anew is seen") {
  const test::TempDir dir;
  const std::string folder = dir.file("agent");
  std::int64_t now_ms = kStart;
  int times = 0;
  Renewer renewer({folder,
                   [&now_ms] { return now_ms; },
                   [&times](const OwnIdentity&, const std::string&) -> Result<RenewedTls> {
                     ++times;
                     return fail(Errc::unavailable, "away");
                   },
                   {}});
  REQUIRE(store_identity(folder, brief_identity()));
  now_ms = kStart + kBriefMs;
  for (int i = 0; i < 120; ++i, now_ms += 500) renewer.look();
  CHECK(times == 1);
  renewer.look();
  CHECK(times == 2);
  REQUIRE(store_identity(folder, brief_identity()));
  renewer.look();
  CHECK(times == 3);
}

TEST_CASE("a clock that was ahead when renewing failed and was set back does not put it off") {
  EnrolledHost host;
  Asked asked(host);
  asked.is_away = true;
  Renewer renewer(asked.options());
  const std::int64_t due = renewal_due_ms(host.present());
  host.now_ms = due + 3000 * kDay;
  renewer.look();
  REQUIRE(asked.times == 1);
  host.now_ms = due;
  asked.is_away = false;
  renewer.look();
  CHECK(asked.renewed == 1);
}

TEST_CASE("a certificate that cannot be stored is not asked for") {
  EnrolledHost host;
  Asked asked(host);
  const std::string in_the_way = identity_path(host.folder) + ".new";
  Renewer renewer(asked.options());
  host.now_ms = renewal_due_ms(host.present());
  std::filesystem::create_directories(in_the_way);  // also for root
  renewer.look();
  CHECK(asked.times == 0);
  std::filesystem::remove(in_the_way);
  host.now_ms += 3'600'000;
  renewer.look();
  CHECK(asked.renewed == 1);
}

TEST_CASE("a certificate that an aggregator made while its clock was ahead takes no good one's place") {
  EnrolledHost host;
  Asked asked(host);
  const OwnIdentity before = host.present();
  const std::int64_t due = renewal_due_ms(before);
  std::int64_t ahead = 2 * kDay;
  Renewer renewer({host.folder, [&host, &ahead] { return host.now_ms - ahead; }, asked.options().ask, {}});
  host.now_ms = due + ahead;
  renewer.look();
  CHECK(asked.times == 1);
  CHECK(host.present().serial == before.serial);
  ahead = kDay / 2;  // this host's clock may be the wrong one
  renewer.look();
  CHECK(host.present().serial != before.serial);
}

TEST_CASE("retries come after a minute at first, an hour at most, and sooner for a short life") {
  OwnIdentity identity;
  identity.not_after_ms = 90 * kDay;
  CHECK(renewal_retry(identity, 1) == std::chrono::minutes(1));
  CHECK(renewal_retry(identity, 3) == std::chrono::minutes(4));
  CHECK(renewal_retry(identity, 1000) == std::chrono::hours(1));
  identity.not_after_ms = 300'000;
  CHECK(renewal_retry(identity, 1) == std::chrono::seconds(6));
  identity.not_after_ms = 10'000;
  CHECK(renewal_retry(identity, 9) == std::chrono::seconds(1));
}

TEST_CASE(
    "a certificate that expired or was revoked renews nothing, and neither does an answer that is not ours") {
  EnrolledHost host;
  Asked asked(host);
  const OwnIdentity before = host.present();
  host.now_ms = renewal_due_ms(before);
  SECTION("an answer of another authority") {
    asked.is_foreign = true;
  }
  SECTION("expired") {
    host.now_ms = before.not_after_ms;
  }
  SECTION("revoked") {
    REQUIRE(host.aggregator->revoke(authority::Kind::host, "web-1"));
  }
  Renewer(asked.options()).look();
  CHECK(asked.times == 1);
  CHECK(asked.renewed == 0);
  CHECK(host.present().serial == before.serial);
}

}  // namespace vigil::agent
