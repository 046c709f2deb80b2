#include "aggregator/access/secrets.h"

#include "tests/support/catch.h"

#include <set>

using namespace vigil::aggregator::access;

TEST_CASE("tokens have the form of tokens, and none comes twice") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto token = new_token();
    REQUIRE(token);
    CHECK(token->size() == 47);
    CHECK(looks_like_token(*token));
    CHECK(seen.insert(*token).second);
  }
  CHECK_FALSE(looks_like_token(""));
  CHECK_FALSE(looks_like_token(seen.begin()->substr(1)));
  CHECK_FALSE(looks_like_token(*seen.begin() + "a"));
  CHECK_FALSE(looks_like_token("vgl_" + std::string(42, 'a') + '-'));
}

TEST_CASE("a password fits its hash, another one does not, and each hash has a salt of its own") {
  const auto first = hash_password("correct horse");
  const auto second = hash_password("correct horse");
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  CHECK(*first != *second);
  CHECK(first->find("horse") == std::string::npos);
  CHECK(is_password(*first, "correct horse"));
  CHECK_FALSE(is_password(*first, "correct horsf"));
  CHECK_FALSE(is_password(*first, ""));
  CHECK_FALSE(is_password("", ""));
  CHECK_FALSE(is_password("correct horse", "correct horse"));
}

TEST_CASE("SHA-256 is SHA-256") {
  const std::string digest = sha256("abc");  // FIPS 180-2, B.1
  CHECK(digest.size() == 32);
  CHECK(digest.substr(0, 4) == "\xBA\x78\x16\xBF");
}
