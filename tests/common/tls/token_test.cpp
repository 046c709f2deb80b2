#include "common/tls/token.h"

#include "tests/support/catch.h"

#include <set>
#include <string>

namespace vigil::tls {

TEST_CASE("tokens are long, and never the same twice") {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(make_token().value());
  CHECK(seen.size() == 100);
  for (const std::string& token : seen) CHECK(token.size() == 40);
}

TEST_CASE("what could be no token is told before anybody is asked") {
  const std::string token = make_token().value();
  CHECK(looks_like_token(token));
  for (const std::string& wrong :
       {token.substr(1), token + "0", std::string(40, 'g'), std::string(40, 'A'), std::string()})
    CHECK_FALSE(looks_like_token(wrong));
}

TEST_CASE("the digest is SHA-256") {
  CHECK(digest_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace vigil::tls
