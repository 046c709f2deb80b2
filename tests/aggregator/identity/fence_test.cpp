#include "aggregator/identity/fence.h"

#include "tests/aggregator/access/methods.h"
#include "tests/aggregator/identity/authority_fixture.h"

namespace vigil::aggregator::identity {
namespace {

using namespace testing;

using access::all_methods;

std::vector<std::string> allowed(Authority* authority, const std::string& certificate,
                                 std::int64_t now_ms = kStart) {
  std::vector<std::string> out;
  for (const std::string& method : all_methods()) {
    if (may_call(authority, certificate, method, now_ms)) out.push_back(method);
  }
  return out;
}

}  // namespace

TEST_CASE("a host's certificate delivers and renews, and calls nothing else") {
  OwnAuthority authority;
  const std::string host = authority.enrolled("web-1").certificate;
  const std::string person = authority->issue_person("ada", Asking().request, {}).value().certificate;
  const std::vector<std::string> deliver{"/vigil.v1.Identity/Enroll", "/vigil.v1.Identity/Renew",
                                         "/vigil.v1.Identity/Standing", "/vigil.v1.Ingest/Stream"};
  const std::vector<std::string> begin{"/vigil.v1.Identity/Enroll", "/vigil.v1.Identity/Standing",
                                       "/vigil.v1.Ingest/Stream"};
  CHECK(all_methods().size() > 30);
  CHECK(allowed(authority.authority.get(), host) == deliver);
  CHECK(allowed(authority.authority.get(), person) == all_methods());
  REQUIRE(authority->revoke(Kind::host, "web-1"));
  REQUIRE(authority->revoke(Kind::person, "ada"));
  CHECK(allowed(authority.authority.get(), host) == begin);
  CHECK(allowed(authority.authority.get(), person) == begin);
  CHECK_FALSE(may_call(authority.authority.get(), person, "", kStart));
}

TEST_CASE("with somebody else's authority the handshake decides, but a host that is named so stays one") {
  OwnAuthority elsewhere;
  const std::string host = elsewhere.enrolled("web-1").certificate;
  const std::string person = elsewhere->issue_person("ada", Asking().request, {}).value().certificate;
  CHECK(allowed(nullptr, host).size() == 4);
  CHECK(allowed(nullptr, person) == all_methods());
  // A connection lasts longer than its certificate: what goes on over it is asked again.
  CHECK(allowed(nullptr, person, kStart + 90 * kDay - 1) == all_methods());
  CHECK(allowed(nullptr, person, kStart + 90 * kDay) ==
        std::vector<std::string>{"/vigil.v1.Identity/Enroll", "/vigil.v1.Identity/Standing",
                                 "/vigil.v1.Ingest/Stream"});
}

}  // namespace vigil::aggregator::identity
