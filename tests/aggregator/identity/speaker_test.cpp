#include "aggregator/identity/speaker.h"

#include "common/tls/signing.h"
#include "tests/support/catch.h"

namespace vigil::aggregator::identity {
namespace {

constexpr std::int64_t kSpeakingMoment = 1'790'000'000'000;

std::string certificate(const std::string& common_name, const std::vector<std::string>& uris) {
  const std::string key = tls::make_key().value();
  const tls::Life life{kSpeakingMoment - 1000, kSpeakingMoment + 60'000};
  const tls::Signer signer{tls::make_authority(key, "theirs", life).value(), key};
  return tls::issue(signer, tls::public_half(key).value(), {common_name, uris, {}, tls::Purpose::client},
                    life)
      .value();
}

}  // namespace

TEST_CASE("a certificate of somebody else's authority speaks for its common name, or for its URI") {
  const auto by_name = speaker_by_name(certificate("web-1", {}), "web-1", kSpeakingMoment);
  REQUIRE(by_name);
  CHECK(by_name->serial.size() == 32);
  CHECK(by_name->not_after_ms == kSpeakingMoment + 60'000);
  CHECK(speaker_by_name(certificate("an agent", {"vigil:host:web-1"}), "web-1", kSpeakingMoment));
  const auto refused = speaker_by_name(certificate("web-2", {"vigil:host:web-1"}), "web-2", kSpeakingMoment);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::permission);
  CHECK_FALSE(speaker_by_name(certificate("web-1", {}), "WEB-1", kSpeakingMoment));
  CHECK_FALSE(speaker_by_name(certificate("web-1", {}), "web-1", kSpeakingMoment + 60'000));
  CHECK_FALSE(speaker_by_name("nonsense", "web-1", kSpeakingMoment));
}

TEST_CASE("who need not show a certificate may speak for any host, without an end") {
  const auto anybody = speaker_by_name("", "web-1", kSpeakingMoment);
  REQUIRE(anybody);
  CHECK(anybody->serial.empty());
  CHECK(anybody->not_after_ms == 0);
}

}  // namespace vigil::aggregator::identity
