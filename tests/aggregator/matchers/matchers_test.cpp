#include "aggregator/matchers/matchers.h"

#include "tests/support/catch.h"

namespace vigil::matchers {
namespace {

std::string read(std::string_view text) {
  const auto parsed = parse_matchers(text);
  return parsed ? to_string(parsed->matchers) : "error: " + parsed.error().message;
}

std::string note(std::string_view text) {
  const auto parsed = parse_matchers(text);
  REQUIRE(parsed);
  return parsed->note;
}

}  // namespace

TEST_CASE("what both grammars read alike") {
  const auto f = [](const char* text, const char* meaning) {
    INFO(text);
    CHECK(read(text) == meaning);
    CHECK(note(text) == "");
  };
  f("", "{}");
  f("{}", "{}");
  f("foo=bar", R"({foo="bar"})");
  f(" foo = bar ", R"({foo="bar"})");
  f("foo=bar,", R"({foo="bar"})");
  f("{foo=bar, dings!=bums,}", R"({foo="bar",dings!="bums"})");
  f("foo=~\"a|b\"\n,\tbar!~\"x.*\"", R"({foo=~"a|b",bar!~"x.*"})");
  f(R"(foo="")", R"({foo=""})");
  f(R"(foo="a,b{}=~!")", R"({foo="a,b{}=~!"})");
  f(R"({quote=~"She said: \"Hi, all!( How're you…)?\""})",
    R"({quote=~"She said: \"Hi, all!( How're you…)?\""})");
  f(R"(foo="a\nb\\c")", R"({foo="a\nb\\c"})");
  f("foo=Προμηθεύς", R"({foo="Προμηθεύς"})");
  f("foo=[a-z]+", R"({foo="[a-z]+"})");
}

TEST_CASE("what only the classic grammar reads, or reads differently, is read by it, with a note") {
  const auto f = [](const char* text, const char* meaning, const char* says) {
    INFO(text);
    CHECK(read(text) == meaning);
    INFO(note(text));
    CHECK(note(text).find(says) != std::string::npos);
  };
  f("foo=", R"({foo=""})", "do not read this; {foo=\"\"} means the same to all");
  f("foo=bar baz", R"({foo="bar baz"})", "do not read this");
  f(R"(foo=~"\d+")", R"({foo=~"\\d+"})", "do not read this; {foo=~\"\\\\d+\"}");
  f("foo=a=b", R"({foo="a=b"})", "do not read this");
  f("{foo=bar", R"({foo="bar"})", "do not read this");
  f("foo=bar}", R"({foo="bar"})", "do not read this");
  f("foo:bar=x", R"({"foo:bar"="x"})", "");
  f(R"(foo="\t")", R"({foo="\\t"})", "read this differently");
  f(R"(foo="\xf0\x9f\x99\x82")", R"({foo="\\xf0\\x9f\\x99\\x82"})", "read this differently");
  f("foo==bar", R"({foo="=bar"})", "do not read this");
  f("foo=b\\ar", R"({foo="b\\ar"})", "do not read this");
}

TEST_CASE("what only the newer grammar reads") {
  const auto f = [](const char* text, const char* meaning) {
    INFO(text);
    CHECK(read(text) == meaning);
    CHECK(note(text) == "");
  };
  f(R"("foo bar"=baz)", R"({"foo bar"="baz"})");
  f("Straße=\"x\"", R"({"Straße"="x"})");
  f(R"({"a.b"!~"x|y", c=d})", R"({"a.b"!~"x|y",c="d"})");
  f(" {foo=bar}", R"({foo="bar"})");
  f(R"("\u00fc"="ü")", R"({"ü"="ü"})");
}

TEST_CASE("what no grammar reads says what was expected, and where") {
  const auto f = [](const char* text, const char* message) {
    INFO(text << " -> " << read(text));
    CHECK(read(text).find(message) != std::string::npos);
    CHECK(read(text).starts_with("error: "));
  };
  f("foo", "expected =, !=, =~ or !~, found the end at character 4");
  f("=bar", "expected a label's name, found '=bar' at character 1");
  f("foo=bar,,x=y", "expected a label's name, found ',x=y'");
  f("{{foo=bar}}", "expected a label's name");
  f("foo=\"bar", "the closing double quote is missing");
  f("foo=b\"ar", "expected a comma");
  f("foo=~[", "regular expression");
  f("foo!bar", "expected =");
  f("foo=\"a\xff\"", "backslash");
}

TEST_CASE("all of them must match, and a label that is not there is empty") {
  const auto f = [](const char* text, const Labels& labels, bool expected) {
    INFO(text << " " << labels.to_string());
    const auto parsed = parse_matchers(text);
    REQUIRE(parsed);
    CHECK(matches(parsed->matchers, labels) == expected);
  };
  f("", {}, true);
  f("a=1", {{"a", "1"}}, true);
  f("a=1,b=2", {{"a", "1"}}, false);
  f("a=1,b!=2", {{"a", "1"}}, true);
  f("a=\"\"", {{"b", "1"}}, true);
  f("a=~\"1|2\"", {{"a", "12"}}, false);
  f("a!~\"1.*\"", {{"a", "12"}}, false);
  f("a=~\".*\"", {}, true);
  f("a=~\".+\"", {}, false);
}

TEST_CASE("matchers are written such that they are read back") {
  for (const char* text : {R"({a="\"\\\n"})", R"({"ü b"!~".+",c=""})", "{}"}) {
    const auto parsed = parse_matchers(text);
    REQUIRE(parsed);
    CHECK(read(to_string(parsed->matchers)) == to_string(parsed->matchers));
  }
}

}  // namespace vigil::matchers
