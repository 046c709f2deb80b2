// What the doctor advises where the aggregator does not answer it.
#include "cli/doctor/refusal.h"

#include "common/tls/signing.h"
#include "tests/support/catch.h"

namespace vigil::cli {
namespace {

v1::WhoAmIResponse taken_for(const char* kind, const char* name = "") {
  v1::WhoAmIResponse who;
  who.set_kind(kind);
  who.set_name(name);
  return who;
}

ClientOptions showing_certificate(std::vector<std::string> uris) {
  const std::string key = tls::make_key().value();
  const tls::Life life{0, 4'000'000'000'000};
  ClientOptions options;
  options.cert_path = "/home/ada/ada.pem";
  options.cert_pem =
      tls::issue({tls::make_authority(key, "ours", life).value(), key}, tls::public_half(key).value(),
                 {"ada", std::move(uris), {}, tls::Purpose::client}, life)
          .value();
  return options;
}

std::string advice(const ClientOptions& options, const std::optional<v1::WhoAmIResponse>& who,
                   const std::string& text = "no\nSay who you are: --token-file FILE") {
  const auto finding = check_refusal(fail(Errc::permission, "{}", text), options, who);
  CHECK(finding.verdict == doctor::Verdict::problem);
  CHECK(finding.seen == "no");
  return finding.fix;
}

}  // namespace

TEST_CASE("who is refused is told what lets in the one he is, not to ask again") {
  ClientOptions token;
  token.token = "t";
  ClientOptions login;
  login.token_source = [] { return LoginToken{"t", ""}; };
  CHECK(advice(login, taken_for("loopback")) == "Say who you are: --token-file FILE");
  CHECK_THAT(advice(token, std::nullopt), Catch::Contains("vigil token create"));
  CHECK_THAT(advice(token, taken_for("token", "ci")), Catch::Contains("vigil token create"));
  CHECK(advice(login, std::nullopt) == "vigil login");
  CHECK_THAT(advice(login, taken_for("oidc", "oidc:ada")), Catch::Contains("access.oidc.roles"));
}

TEST_CASE("who has a certificate is told who gives it a role, or makes another") {
  const auto person = showing_certificate({"vigil:person:ada"});
  CHECK_THAT(advice(person, taken_for("certificate", "ada"), "no"),
             Catch::StartsWith("vigil user role ada viewer") && Catch::Contains("vigil user add ada"));
  CHECK_THAT(advice(showing_certificate({}), taken_for("certificate", "ada"), "no"),
             Catch::Contains("ada: viewer in access.certificates"));
  CHECK_THAT(advice(showing_certificate({}), taken_for("host", "ada"), "no"),
             Catch::Contains("a person's certificate, not a host's"));
  CHECK_THAT(advice(person, std::nullopt, "no"), Catch::StartsWith("vigil certificate issue --person ada"));
}

TEST_CASE("an aggregator that does not answer in time is looked at there") {
  const auto fix = [](Errc code, const std::string& text) {
    return check_refusal(fail(code, "{}", text), {}, std::nullopt).fix;
  };
  CHECK_THAT(fix(Errc::timeout, "no answer"), Catch::StartsWith("vigil-aggregator doctor on its machine"));
  CHECK(fix(Errc::unavailable, "nobody\nIs vigil-aggregator running?") == "Is vigil-aggregator running?");
  CHECK_THAT(fix(Errc::limit, "too many"), Catch::StartsWith("wait a minute"));
}

}  // namespace vigil::cli
