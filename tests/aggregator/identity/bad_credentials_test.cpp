// 10,000 credentials that must not count: tokens that are wrong, expired, used, withdrawn or another
// aggregator's; certificates of other authorities, expired, not yet good, revoked, damaged, of somebody else.
#include "common/tls/token.h"
#include "tests/aggregator/identity/authority_fixture.h"

#include <random>

namespace vigil::aggregator::identity {
namespace {

using namespace testing;

class Tries {
 public:
  explicit Tries(OwnAuthority& authority) : authority_(authority) {}
  void token(const std::string& token) {
    ++count;
    if (authority_->enroll({token, asking_.request})) ++accepted;
  }
  void certificate(const std::string& pem, const std::string& host) {
    ++count;
    if (authority_->may_speak(pem, host) || authority_->renew(pem, asking_.request)) ++accepted;
  }
  int count = 0;
  int accepted = 0;

 private:
  OwnAuthority& authority_;
  Asking asking_;
};

/// Bits of a PEM text's Base64 changed: another character of the alphabet in its place.
std::string damaged(std::string pem, std::mt19937_64& random) {
  const std::size_t begin = pem.find('\n') + 1;
  const std::size_t end = pem.rfind("-----END") - 6;  // the last digits may hold bits that do not count
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (;;) {
    char& c = pem[begin + random() % (end - begin)];
    const char other = alphabet[random() % alphabet.size()];
    if (c == '\n' || c == '=' || c == other) continue;
    c = other;
    return pem;
  }
}

}  // namespace

TEST_CASE("of 10,000 bad credentials none is accepted") {
  OwnAuthority authority;
  OwnAuthority strangers;
  Tries tries(authority);
  std::mt19937_64 random(6);

  // Tokens.
  const Asking asking;
  std::vector<std::string> used;
  std::vector<std::string> expired;
  for (int i = 0; i < 200; ++i) {
    const std::string name = fmt::format("used-{}", i);
    used.push_back(authority.token(name));
    REQUIRE(authority->enroll({used.back(), asking.request}));
    expired.push_back(authority.token(fmt::format("late-{}", i)));
  }
  authority.now_ms += kUsualInvitation.count();
  const std::string good = authority.token("good");
  for (int times = 0; times < 5; ++times) {
    for (const std::string& token : used) tries.token(token);
    for (const std::string& token : expired) tries.token(token);
  }
  for (int i = 0; i < 500; ++i) tries.token(strangers.token(fmt::format("theirs-{}", i)));
  for (int i = 0; i < 1500; ++i) {  // a good one but for a digit, a digit less, a digit more
    std::string near = good;
    char& digit = near[static_cast<std::size_t>(i) % near.size()];
    digit = digit == 'f' ? '0' : 'f';
    if (near == good) near += '0';
    tries.token(i % 3 == 0 ? near : i % 3 == 1 ? good.substr(0, good.size() - 1 - i % 20) : good + near);
  }
  for (int i = 0; i < 2500; ++i) tries.token(tls::make_token().value());
  for (const char* token : {"", " ", "'; DROP TABLE invite; --", "%", "\xff\xfe"}) tries.token(token);

  // Certificates.
  const std::string host = "web-1";
  const Issued issued = authority.enrolled(host);
  const std::string foreign_key = tls::make_key().value();
  const std::string foreign_half = tls::public_half(foreign_key).value();
  const tls::Signer foreign = strangers.signer();
  const tls::Subject subject{host, {"vigil:host:" + host}, {}, tls::Purpose::client};
  for (int i = 0; i < 400; ++i)
    tries.certificate(tls::issue(foreign, foreign_half, subject, {kStart - 1000, kStart + kDay}).value(),
                      host);
  // Signed by a host's own key, under the name of the authority that gave it.
  const tls::Signer by_host{issued.certificate, foreign_key};
  for (int i = 0; i < 100; ++i) {
    tries.certificate(tls::issue(by_host, foreign_half, subject, {kStart - 1000, kStart + kDay}).value() +
                          issued.certificate + issued.authority,
                      host);
  }
  // Of an authority that calls itself like ours.
  const std::string name = authority->own().common_name;
  const std::string false_key = tls::make_key().value();
  const tls::Signer imposter{
      tls::make_authority(false_key, name, {kStart - kDay, kStart + 1000 * kDay}).value(), false_key};
  for (int i = 0; i < 300; ++i)
    tries.certificate(tls::issue(imposter, foreign_half, subject, {kStart - 1000, kStart + kDay}).value(),
                      host);
  // Ours, but over, not yet begun, or of nobody and everybody.
  const tls::Signer ours = authority.signer();
  for (int i = 1; i <= 300; ++i) {
    const std::int64_t end = authority.now_ms - i * 1000;
    tries.certificate(tls::issue(ours, foreign_half, subject, {end - kDay, end}).value(), host);
    const std::int64_t begin = authority.now_ms + i * 1000;
    tries.certificate(tls::issue(ours, foreign_half, subject, {begin, begin + kDay}).value(), host);
  }
  const tls::Life now{authority.now_ms - 1000, authority.now_ms + kDay};
  for (const std::vector<std::string>& uris :
       std::vector<std::vector<std::string>>{{},
                                             {"vigil:person:" + host, "vigil:host:" + host},
                                             {"vigil:host:" + host, "vigil:host:other"},
                                             {"vigil:host"},
                                             {"VIGIL:HOST:" + host},
                                             {"https://" + host},
                                             {" vigil:host:" + host}}) {
    for (int i = 0; i < 20; ++i)
      tries.certificate(
          tls::issue(ours, foreign_half, {host, uris, {host}, tls::Purpose::client}, now).value(), host);
  }
  for (int i = 0; i < 1460; ++i) tries.certificate(damaged(issued.certificate, random), host);
  REQUIRE(authority->revoke(Kind::host, host));
  for (int i = 0; i < 500; ++i) tries.certificate(issued.certificate, host);
  for (const std::string& text : {std::string(), issued.authority, ours.key, std::string(100'000, 'A')})
    tries.certificate(text, host);

  CHECK(tries.count >= 10'000);
  CHECK(tries.accepted == 0);
  // And the good token still is one: it was refused to nobody but those.
  CHECK(authority->enroll({good, asking.request}));
}

}  // namespace vigil::aggregator::identity
