#include "cli/doctor/own_certificate.h"

#include "common/tls/certificate.h"
#include "common/tls/signing.h"
#include "tests/support/catch.h"

namespace vigil::cli {
namespace {

constexpr std::int64_t kIssuedMs = 1'790'000'000'000;
constexpr std::int64_t kADay = 86'400'000;

ClientOptions with_certificate(std::vector<std::string> uris, std::int64_t days) {
  const std::string key = tls::make_key().value();
  const auto authority = tls::make_authority(key, "ours", {kIssuedMs, kIssuedMs + 1000 * kADay});
  ClientOptions options;
  options.cert_path = "/home/ada/my keys/ada.pem";
  options.cert_pem =
      tls::issue({authority.value(), key}, tls::public_half(key).value(),
                 {"ada", std::move(uris), {}, tls::Purpose::client}, {kIssuedMs, kIssuedMs + days * kADay})
          .value();
  return options;
}

}  // namespace

TEST_CASE("a certificate that ends within a week is told of, with the command that makes another") {
  const auto options = with_certificate({"vigil:person:ada"}, 90);
  CHECK(warn_of_end({}, kIssuedMs).empty());
  CHECK(warn_of_end(options, kIssuedMs + 83 * kADay).empty());
  CHECK(warn_of_end(options, kIssuedMs + 84 * kADay) ==
        "your certificate /home/ada/my keys/ada.pem ends in 6d: vigil certificate issue --person ada --out "
        "'/home/ada/my keys', which an admin may");
  CHECK_FALSE(warn_of_end(options, kIssuedMs + 90 * kADay - 1).empty());
  CHECK(warn_of_end(options, kIssuedMs + 90 * kADay).empty());  // the call says that it is over
}

TEST_CASE("one that was made for a day is not told of all day") {
  const auto options = with_certificate({"vigil:person:ada"}, 1);
  CHECK(warn_of_end(options, kIssuedMs).empty());
  CHECK(warn_of_end(options, kIssuedMs + kADay * 6 / 10).empty());
  CHECK_FALSE(warn_of_end(options, kIssuedMs + kADay * 7 / 10).empty());
}

TEST_CASE("of another authority's certificate no command of ours makes another") {
  const auto options = with_certificate({}, 90);
  CHECK_THAT(warn_of_end(options, kIssuedMs + 85 * kADay),
             Catch::EndsWith("have another made by who signed it"));
}

}  // namespace vigil::cli
