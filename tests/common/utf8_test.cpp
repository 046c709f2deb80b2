#include "common/text/utf8.h"

#include "tests/support/catch.h"

namespace vigil {

TEST_CASE("text becomes valid UTF-8") {
  CHECK(printable("caf\xC3\xA9 \xF0\x9F\x90\xA7") == "caf\xC3\xA9 \xF0\x9F\x90\xA7");
  CHECK(printable("cut\xC3") == "cut?");
  CHECK(printable("\xC0\x80 \xED\xA0\x80 \xF5\x80\x80\x80") ==
        "?? ??? ????");  // overlong, surrogate, beyond U+10FFFF
  CHECK(printable("a\nb\x7F") == "a?b?");
  CHECK(printable("").empty());
}

TEST_CASE("whether a text is UTF-8") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("\xF4\x8F\xBF\xBF"));
  CHECK_FALSE(is_utf8("\xF4\x90\x80\x80"));
  CHECK_FALSE(is_utf8("\xE2\x82"));
}

TEST_CASE("Bytes that are no characters become one that is") {
  CHECK(well_formed(std::string_view("a\0b", 3)) == "a\uFFFDb");
  CHECK(well_formed("\xC3") == "\uFFFD");
  CHECK(well_formed("\xF0\x9F\x98 \xC3\xBC\r\n\x1B") == "\uFFFD\uFFFD\uFFFD \xC3\xBC\r\n\x1B");
}

TEST_CASE("what commands a terminal or turns a line around is not printed") {
  CHECK(printable("\xC2\x9B"
                  "31m") == "?31m");  // CSI as one character
  CHECK(printable("a\xE2\x80\xAE"
                  "b\xE2\x81\xA6") == "a?b?");                         // right-to-left override, isolate
  CHECK(printable("\xE2\x80\xA8") == "?");                             // line separator
  CHECK(printable("\xC2\xA0\xE2\x80\x93") == "\xC2\xA0\xE2\x80\x93");  // no-break space, en dash
}

}  // namespace vigil
