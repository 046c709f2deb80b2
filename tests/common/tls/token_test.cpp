#include "common/tls/token.h"

#include "tests/support/catch.h"

#include <set>

namespace vigil::tls {

TEST_CASE("tokens are long, and never the same twice") {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(make_token().value());
  CHECK(seen.size() == 100);
  for (const std::string& token : seen) CHECK(token.size() == 40);
}

TEST_CASE("the digest is SHA-256") {
  CHECK(digest_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace vigil::tls
