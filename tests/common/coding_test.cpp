#include "common/text/base64.h"
#include "common/text/letter_case.h"
#include "common/text/quotes.h"
#include "common/text/url_coding.h"
#include "tests/support/catch.h"

using namespace vigil;

TEST_CASE("base64 is as RFC 4648, section 10, has it, and is read with and without padding") {
  const auto [plain, coded] = GENERATE(table<const char*, const char*>({{"", ""},
                                                                        {"f", "Zg=="},
                                                                        {"fo", "Zm8="},
                                                                        {"foo", "Zm9v"},
                                                                        {"foob", "Zm9vYg=="},
                                                                        {"fooba", "Zm9vYmE="},
                                                                        {"foobar", "Zm9vYmFy"},
                                                                        {"\xFF\xFE\xFD", "//79"}}));
  CHECK(base64(plain) == coded);
  CHECK(*decode_base64(coded) == plain);
  std::string bare = coded;
  bare.erase(std::min(bare.find('='), bare.size()));
  CHECK(*decode_base64(bare) == plain);
}

TEST_CASE("what is not base64 is refused, without a word of it") {
  const char* text = GENERATE("Z", "Zm=v", "Zm9v!", "Zg===", "-_8", "Z g", "\xC3\xA4\xC3\xA4");
  INFO(text);
  const auto decoded = decode_base64(text);
  REQUIRE_FALSE(decoded);
  CHECK_THAT(decoded.error().message, Catch::StartsWith("not base64"));
}

TEST_CASE("base64url has one strict form") {
  CHECK(*decode_base64url("") == "");
  CHECK(*decode_base64url("-_8") == "\xFB\xFF");
  CHECK(*decode_base64url("AA") == std::string(1, '\0'));
  for (const char* text : {"+/8", "AA==", "AB", "A", "AAB", " AA"}) {
    INFO(text);
    CHECK_FALSE(decode_base64url(text));
  }
}

TEST_CASE("every byte is the same after base64 and back") {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) {
    INFO(i);
    CHECK(*decode_base64(base64(bytes)) == bytes);
    bytes += static_cast<char>(i * 7);
  }
}

TEST_CASE("of an address and of a form all is coded but what RFC 3986 calls unreserved") {
  const std::string plain = "abcXYZ019-._~";
  CHECK(percent_coded(plain) == plain);
  CHECK(form_coded(plain) == plain);
  CHECK(percent_coded("a b&c=d+e%/*\xC3\xA4\n") == "a%20b%26c%3Dd%2Be%25%2F%2A%C3%A4%0A");
  CHECK(form_coded("a b&c=d+e%/*") == "a+b%26c%3Dd%2Be%25%2F%2A");
  CHECK(percent_coded(std::string_view("\0", 1)) == "%00");
}

TEST_CASE("case is of ASCII letters only") {
  CHECK(lower_case("Content-TYPE [@`{ \xC3\x84") == "content-type [@`{ \xC3\x84");
  CHECK(is_same_in_any_case("Content-Type", "content-TYPE"));
  CHECK_FALSE(is_same_in_any_case("a", "ab"));
  CHECK_FALSE(is_same_in_any_case("[", "{"));
}

TEST_CASE("in quotes, nothing of a text ends them") {
  CHECK(in_quotes("") == R"("")");
  CHECK(in_quotes(R"(a"b\c)") == R"("a\"b\\c")");
  CHECK(in_quotes("a\nb\tc") == "\"a\\nb\tc\"");
}
