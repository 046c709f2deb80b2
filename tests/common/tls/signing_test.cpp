#include "common/tls/signing.h"

#include "common/tls/certificate.h"
#include "tests/support/catch.h"

namespace vigil::tls {
namespace {

constexpr std::int64_t kNow = 1'790'000'000'000;
constexpr Life kYear{kNow, kNow + 365LL * 86'400'000};

Signer new_authority(std::string_view name = "vigil CA") {
  Signer signer;
  signer.key = make_key().value();
  signer.certificate = make_authority(signer.key, name, kYear).value();
  return signer;
}

Result<std::string> issued(const Signer& signer, const Subject& subject) {
  const std::string request = make_request(make_key().value(), "anybody").value();
  return issue(signer, read_request(request).value(), subject, kYear);
}

}  // namespace

TEST_CASE("a certificate says whom it names, for how long, and who signed it") {
  const Signer authority = new_authority();
  const auto pem = issued(authority, {"web-1", {"vigil:host:web-1"}, {}, Purpose::client});
  REQUIRE(pem);
  const auto info = read_certificate(*pem);
  REQUIRE(info);
  CHECK(info->common_name == "web-1");
  CHECK(info->uris == std::vector<std::string>{"vigil:host:web-1"});
  CHECK(named_by(*info, kHostUri) == "web-1");
  CHECK(named_by(*info, kPersonUri) == std::nullopt);
  CHECK(info->not_before_ms == kYear.not_before_ms);
  CHECK(info->not_after_ms == kYear.not_after_ms);
  CHECK(info->serial.size() == 32);
  CHECK(info->fingerprint.size() == 64);
  CHECK(check_signed_by(*pem, authority.certificate));
}

TEST_CASE("serial numbers and keys are never the same twice") {
  const Signer authority = new_authority();
  const auto one = read_certificate(issued(authority, {"a", {}, {}, Purpose::client}).value());
  const auto other = read_certificate(issued(authority, {"a", {}, {}, Purpose::client}).value());
  CHECK(one->serial != other->serial);
  CHECK(one->fingerprint != other->fingerprint);
  CHECK(make_key().value() != make_key().value());
}

TEST_CASE("an authority of the same name is another one, and a certificate that may not sign is none") {
  const Signer ours = new_authority();
  const Signer strangers = new_authority();
  const auto pem = issued(ours, {"web-1", {"vigil:host:web-1"}, {}, Purpose::client});
  REQUIRE(pem);
  CHECK(check_signed_by(*pem, strangers.certificate).error().code == Errc::permission);

  // Signed by an agent's key: its certificate is ours, what it signs is not.
  const std::string key = make_key().value();
  const Signer agent{issue(ours, public_half(key).value(), {"web-1", {}, {}, Purpose::client}, kYear).value(),
                     key};
  const auto forged = issued(agent, {"web-2", {"vigil:host:web-2"}, {}, Purpose::client});
  REQUIRE(forged);
  CHECK_FALSE(check_signed_by(*forged, ours.certificate));
  CHECK_FALSE(check_signed_by(*forged, agent.certificate));
}

TEST_CASE("a server's certificate has names and addresses, and refuses what is neither") {
  const Signer authority = new_authority();
  const std::vector<std::string> hosts{"mon.example.org", "10.0.0.5", "::1"};
  const auto pem = issued(authority, {"mon", {}, hosts, Purpose::server});
  REQUIRE(pem);
  CHECK(server_hosts(*pem).value() == hosts);
  for (const std::string& host : hosts) CHECK(is_for_host(*pem, host).value());
  for (const std::string other : {"mon", "10.0.0.6", "", "org"})
    CHECK_FALSE(is_for_host(*pem, other).value());
  for (const std::string wrong : {"mon example", "", "a,DNS:b", "http://mon", "mon:8460"}) {
    const auto refused = issued(authority, {"mon", {}, {wrong}, Purpose::server});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::invalid_argument);
  }
}

TEST_CASE("a name with two URIs is nobody's") {
  const auto pem = issued(new_authority(), {"a", {"vigil:host:a", "vigil:host:b"}, {}, Purpose::client});
  CHECK(named_by(read_certificate(pem.value()).value(), kHostUri) == std::nullopt);
}

TEST_CASE("a request counts only with the key that signed it") {
  const std::string request = make_request(make_key().value(), "web-1").value();
  REQUIRE(read_request(request));
  // Any other byte in the middle of it, and the signature is wrong, or it is no request any more.
  for (std::size_t at = 40; at + 40 < request.size(); ++at) {
    std::string damaged = request;
    if (damaged[at] == '\n') continue;
    damaged[at] = damaged[at] == 'A' ? 'B' : 'A';
    if (damaged == request) continue;
    CHECK_FALSE(read_request(damaged));
  }
  for (std::size_t size = 0; size + 1 < request.size(); size += 7)
    CHECK_FALSE(read_request(std::string_view(request).substr(0, size)));
  const auto large = read_request(std::string(kMaxRequestBytes + 1, 'A'));
  REQUIRE_FALSE(large);
  CHECK(large.error().code == Errc::limit);
}

TEST_CASE("weak keys are refused in a request, and a curve that is written out") {
  // openssl req -newkey rsa:1024 -noenc -subj /CN=weak
  constexpr const char* kWeak = R"(-----BEGIN CERTIFICATE REQUEST-----
MIIBTjCBuAIBADAPMQ0wCwYDVQQDDAR3ZWFrMIGfMA0GCSqGSIb3DQEBAQUAA4GN
ADCBiQKBgQC73vl4vJ/iqZL8ALoy59s1LmMlpsNjb90j4vWQw3j4BJ7klCcmtqdn
LsYBT21s76MLiBTtkZB6dt3OdC0YxyJ9fddbz+qmg3uq5tGFvf8uWaXy5Xrihpkj
+6/4JBysiE3HxaI5mZPhENPmW7Lg4OnjbwOxuLfkiow2XtMebHJtBwIDAQABoAAw
DQYJKoZIhvcNAQELBQADgYEAMRnYBnZBEP37vvwCtqpllWY491j8ItZGgyvjhPhf
3iro+dyTISYoR68cm66WZrPL2f/67gxPdL7MyChyWPY2mE55/3LW7dKaFmeQm8lt
Q+m9TrIcOExb5vzEE0b/GV3ld3WN2Rgz5N9Vvpht6o9TTysNMg/PyQwaRhYZuurb
Uyk=
-----END CERTIFICATE REQUEST-----
)";
  // openssl ecparam -name prime256v1 -param_enc explicit -genkey
  constexpr const char* kExplicit = R"(-----BEGIN CERTIFICATE REQUEST-----
MIIBxDCCAWkCAQAwEzERMA8GA1UEAwwIZXhwbGljaXQwggFLMIIBAwYHKoZIzj0C
ATCB9wIBATAsBgcqhkjOPQEBAiEA/////wAAAAEAAAAAAAAAAAAAAAD/////////
//////8wWwQg/////wAAAAEAAAAAAAAAAAAAAAD///////////////wEIFrGNdiq
OpPns+u9VXaYhrxlHQawzFOw9jvOPD4n0mBLAxUAxJ02CIbnBJNqZnjhE50mt4Gf
fpAEQQRrF9Hy4SxCR/i85uVjpEDydwN9gS3rM6D0oTlF2JjClk/jQuL+Gn+bjufr
SnwPnhYrzjNXazFezsu2QGg3v1H1AiEA/////wAAAAD//////////7zm+q2nF56E
87nKwvxjJVECAQEDQgAEmalnkTkQCUJ3AYg5397f7IfuzPQoYRGDCUfQ8ALilKWQ
6TI/tVIQ8dIWzzVXY9R+7afEWMA4DLfQfDt1/L9gTKAAMAoGCCqGSM49BAMCA0kA
MEYCIQCy+0CKYrfcGxtV3D1DTDEvGcBG//E0eMYcn7/piI6gjgIhAOB4oB/BZlVk
mYUkX309K/upozccyI/wYdZkTQRDSugx
-----END CERTIFICATE REQUEST-----
)";
  CHECK(read_request(kExplicit).error().code == Errc::parse);
  const auto refused = read_request(kWeak);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::parse);
  CHECK(refused.error().message.find("P-256") != std::string::npos);
}

TEST_CASE("a key and a certificate belong together or not") {
  const Signer one = new_authority();
  const Signer other = new_authority();
  CHECK(check_pair(one.certificate, one.key));
  CHECK(check_pair(one.certificate, other.key).error().code == Errc::invalid_argument);
  CHECK(check_pair(one.key, one.key).error().code == Errc::parse);
}

TEST_CASE("texts that are no keys are said to be none") {
  CHECK(make_request("nothing", "a").error().code == Errc::parse);
  CHECK(make_authority("", "a", kYear).error().code == Errc::parse);
  CHECK(public_half("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").error().code ==
        Errc::parse);
  CHECK(issue(new_authority(), "nothing", {"a", {}, {}, Purpose::client}, kYear).error().code == Errc::parse);
}

}  // namespace vigil::tls
