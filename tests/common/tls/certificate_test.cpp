#include "common/tls/certificate.h"

#include "common/tls/signing.h"
#include "tests/support/catch.h"

namespace vigil::tls {
namespace {

std::string some_certificate() {
  const std::string key = make_key().value();
  return make_authority(key, "vigil CA of müller", {1'790'000'000'000, 1'790'086'400'000}).value();
}

}  // namespace

TEST_CASE("the first certificate of a text is read, whatever stands before it") {
  const std::string first = some_certificate();
  const std::string second = some_certificate();
  const auto info = read_certificate("a comment\n" + make_key().value() + first + second);
  REQUIRE(info);
  CHECK(info->fingerprint == read_certificate(first)->fingerprint);
  CHECK(info->common_name == "vigil CA of müller");
  CHECK(info->uris.empty());
}

TEST_CASE("what is no certificate is an error, and so is every beginning of one") {
  const std::string pem = some_certificate();
  for (const std::string text :
       {"", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
    CHECK(read_certificate(text).error().code == Errc::parse);
    CHECK(split_certificates(text).error().code == Errc::parse);
  }
  for (std::size_t size = 0; size + 1 < pem.size(); ++size)
    CHECK_FALSE(read_certificate(std::string_view(pem).substr(0, size)));
}

TEST_CASE("a chain is split into its certificates, and a damaged one is not half taken") {
  const std::string first = some_certificate();
  const std::string second = some_certificate();
  const auto split = split_certificates(first + second);
  REQUIRE(split);
  REQUIRE(split->size() == 2);
  CHECK(read_certificate((*split)[1])->fingerprint == read_certificate(second)->fingerprint);
  CHECK_FALSE(split_certificates(first + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
}

}  // namespace vigil::tls
