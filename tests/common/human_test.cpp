#include "common/text/human.h"

#include "common/text/address.h"
#include "common/text/exposition.h"
#include "common/text/shell_word.h"
#include "tests/support/catch.h"

#include <cstdlib>
#include <ctime>

namespace vigil {

using namespace std::chrono_literals;

TEST_CASE("durations are read as Prometheus reads them") {
  const auto [text, expected] = GENERATE(table<const char*, std::int64_t>({{"0", 0},
                                                                           {"30s", 30'000},
                                                                           {"1h30m", 5'400'000},
                                                                           {"500ms", 500},
                                                                           {"1d", 86'400'000},
                                                                           {"2w", 1'209'600'000},
                                                                           {"1m5s", 65'000}}));
  const auto duration = parse_duration(text);
  REQUIRE(duration);
  CHECK(duration->count() == expected);
}

TEST_CASE("what is no duration says so with an example") {
  const char* text = GENERATE("", "5", "m", "-5m", "5x", "1s1h", "5m5m", "99999999999999y", "1.5h");
  const auto duration = parse_duration(text);
  REQUIRE_FALSE(duration);
  CHECK(duration.error().message.find("1h30m") != std::string::npos);
}

TEST_CASE("a duration survives being printed and read") {
  for (const auto duration :
       {0ms, 1ms, 999ms, 1000ms, 61'000ms, 5'400'000ms, 86'400'000ms, 691'200'000ms, 31'536'000'000ms}) {
    CHECK(*parse_duration(format_duration(duration)) == duration);
  }
  CHECK(format_duration(90s) == "1m30s");
  CHECK(format_age(93784s) == "1d 2h");
  CHECK(format_age(5s) == "5s");
}

TEST_CASE("times are read the way people write them") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const std::int64_t now = 1'700'000'000'000;  // 2023-11-14 22:13:20 UTC, a Tuesday
  const auto [text, expected] = GENERATE(table<const char*, std::int64_t>({
      {"now", 1'700'000'000'000},
      {"2h", 1'699'992'800'000},
      {"-2h", 1'699'992'800'000},
      {"90m ago", 1'699'994'600'000},
      {"yesterday 14:00", 1'699'884'000'000},
      {"tomorrow 14:00", 1'700'056'800'000},
      {"in 2h", 1'700'007'200'000},
      {"in 2 hours", 1'700'007'200'000},
      {"yesterday", 1'699'833'600'000},
      {"14:00", 1'699'970'400'000},
      {"today 14:00:05", 1'699'970'405'000},
      {"2023-11-14", 1'699'920'000'000},
      {"2023-11-14 14:00", 1'699'970'400'000},
      {"2023-11-14T14:00:00Z", 1'699'970'400'000},
      {"2023-11-14T15:00:00.250+01:00", 1'699'970'400'250},
      {"1700000000", 1'700'000'000'000},
      {"1700000000.5", 1'700'000'000'500},
      {"1700000000250", 1'700'000'000'250},
      {"2 hours ago", 1'699'992'800'000},
      {"2h ago", 1'699'992'800'000},
      {"2 hours", 1'699'992'800'000},
      {"1 hour ago", 1'699'996'400'000},
      {"1 hr 30 min ago", 1'699'994'600'000},
      {"5minutes ago", 1'699'999'700'000},
      {"90 secs", 1'699'999'910'000},
      {"3 days", 1'699'740'800'000},
      {"1 week ago", 1'699'395'200'000},
      {"2024-02-29", 1'709'164'800'000},
  }));
  INFO(text);
  const auto time = parse_time(text, now);
  REQUIRE(time);
  CHECK(*time == expected);
}

TEST_CASE("what is no time is refused") {
  const char* text =
      GENERATE("", "tomorrow at noon", "in", "in a while", "in 9223372036854775807ms", "14:60", "2023-13-01",
               "2023-11-14T", "2023-11-14 14:00 CET", "yesterday at noon", "1e99", "2026-02-30", "2023-02-29",
               "2100-02-29 14:00", "2026-04-31T14:00:00Z", "2026-11-31", "2 hours hence", "hours ago", "ago",
               "5 min 2 hours ago", "2 fortnights ago", "99999999999999999 weeks ago");
  INFO(text);
  CHECK_FALSE(parse_time(text, 0));
}

TEST_CASE("times are printed in RFC 3339, before the epoch too") {
  CHECK(format_rfc3339(1'699'970'400'250) == "2023-11-14T14:00:00.250Z");
  CHECK(format_rfc3339(0) == "1970-01-01T00:00:00Z");
  CHECK(format_rfc3339(-1) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("sizes are read and printed") {
  CHECK(*parse_bytes("64MB") == 64'000'000);
  CHECK(*parse_bytes("16MiB") == 16u << 20);
  CHECK(*parse_bytes("1.5 KiB") == 1536);
  CHECK(*parse_bytes("4096") == 4096);
  CHECK_FALSE(parse_bytes("64 flops"));
  CHECK_FALSE(parse_bytes("-1"));
  CHECK_FALSE(parse_bytes(""));
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1536) == "1.50 KiB");
  CHECK(format_bytes(15.3 * 1073741824) == "15.3 GiB");
}

TEST_CASE("a misspelt word finds its neighbour, a different one does not") {
  const std::vector<std::string> known = {"interval", "listen", "collectors"};
  CHECK(suggest("intervall", known) == "interval");
  CHECK(suggest("listne", known) == "listen");
  CHECK(suggest("receivers", known).empty());
}

TEST_CASE("addresses") {
  CHECK(parse_address("127.0.0.1:8460", 1)->to_string() == "127.0.0.1:8460");
  CHECK(parse_address("[::1]:0", 1)->to_string() == "[::1]:0");
  CHECK(parse_address("host.example", 8460)->to_string() == "host.example:8460");
  CHECK(parse_address(":8460", 1)->host == "0.0.0.0");
  const char* bad = GENERATE("", ":", "::1", "a:99999", "a:b", "[::1", "a b:1", "http://x:1");
  INFO(bad);
  CHECK_FALSE(parse_address(bad, 1));
}

TEST_CASE("a type nobody knows is called untyped, as this format wants it") {
  std::string out;
  append_family(out, "m", "", "unknown");
  CHECK(out == "# TYPE m untyped\n");
}

TEST_CASE("samples are printed in the text exposition format") {
  std::string out;
  append_family(out, "m", "A \"metric\".", "gauge");
  append_sample(out, "m", {{"path", "C:\\\"x\"\n"}}, 0.25);
  append_sample(out, "m", {}, std::numeric_limits<double>::infinity());
  CHECK(out == "# HELP m A \"metric\".\n# TYPE m gauge\nm{path=\"C:\\\\\\\"x\\\"\\n\"} 0.25\nm +Inf\n");
}

TEST_CASE("a word for a shell is in quotes where the shell would read something into it") {
  CHECK(shell_word("/home/ada/vigil/ada@example.org.pem") == "/home/ada/vigil/ada@example.org.pem");
  CHECK(shell_word("/home/ada/my keys") == "'/home/ada/my keys'");
  CHECK(shell_word("it's $HOME") == R"('it'\''s $HOME')");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("~ada") == "'~ada'");
}

}  // namespace vigil
