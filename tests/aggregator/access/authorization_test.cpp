#include "aggregator/access/authorization.h"

#include "common/text/base64.h"
#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator::access;

TEST_CASE("a bearer's token is taken as it stands, the scheme in any case") {
  for (const char* text : {"Bearer abc", "bearer abc", "BEARER  abc ", " Bearer abc"}) {
    const auto credential = parse_authorization(text);
    REQUIRE(credential);
    CHECK(std::get<Bearer>(*credential).token == "abc");
  }
}

TEST_CASE("a password may hold colons and anything but NUL, a name no colon") {
  const auto credential = parse_authorization("Basic YWxpY2U6YTpiIMO8");  // alice:a:b ü
  REQUIRE(credential);
  CHECK(std::get<Basic>(*credential).user == "alice");
  CHECK(std::get<Basic>(*credential).password == "a:b \xC3\xBC");
  CHECK_FALSE(parse_authorization("Basic YTpiAGM="));  // a:b NUL c
  CHECK_FALSE(parse_authorization("Basic YWxpY2U="));  // alice
}

TEST_CASE("what is no credential is refused without a word of it") {
  for (const char* text : {"", "Bearer", "Bearer ", "Bearer a b", "Bearer a, Basic b", "Digest sesame",
                           "sesame", "Basic se!ame", "Basic sesam"}) {
    const auto credential = parse_authorization(text);
    INFO(text);
    REQUIRE_FALSE(credential);
    CHECK(credential.error().code == Errc::parse);
    CHECK(credential.error().message.find("esam") == std::string::npos);
  }
  CHECK_FALSE(parse_authorization("Bearer " + std::string(kMostAuthorizationBytes, 'a')));
}

TEST_CASE("base64 is read with padding and without it") {
  CHECK(*decode_base64("") == "");
  CHECK(*decode_base64("Zg==") == "f");
  CHECK(*decode_base64("Zg") == "f");
  CHECK(*decode_base64("Zm9vYmFy") == "foobar");
  CHECK(*decode_base64("//79") == "\xFF\xFE\xFD");
  CHECK_FALSE(decode_base64("Z"));
  CHECK_FALSE(decode_base64("Zm=v"));
}
