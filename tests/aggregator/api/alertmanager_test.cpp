#include "aggregator/api/alertmanager.h"

#include "tests/support/catch.h"

using namespace vigil;
using aggregator::api::parse_silence;

TEST_CASE("a silence as amtool posts it is read with all its matchers") {
  const auto silence = parse_silence(R"({
    "id": "1", "createdBy": "ada", "comment": "new disks",
    "startsAt": "2026-11-29T10:00:00.000Z", "endsAt": "2026-11-29T12:00:00+01:00",
    "matchers": [{"name": "a", "value": "b"}, {"name": "c", "value": "d.*", "isRegex": true},
                 {"name": "e", "value": "f", "isEqual": false, "isRegex": false},
                 {"name": "g", "value": "h|i", "isEqual": false, "isRegex": true}]})");
  REQUIRE(silence);
  CHECK(matchers::to_string(silence->matchers) == R"({a="b",c=~"d.*",e!="f",g!~"h|i"})");
  CHECK(silence->id == "1");
  CHECK(silence->author == "ada");
  CHECK(silence->comment == "new disks");
  CHECK(silence->starts_ms == 1'795'946'400'000);
  CHECK(silence->ends_ms == 1'795'950'000'000);
}

TEST_CASE("what is wrong with a posted silence is named") {
  const auto refusal = [](const char* body) {
    const auto parsed = parse_silence(body);
    return parsed ? std::string() : parsed.error().message;
  };
  const std::string times = R"("startsAt":"2026-11-29T10:00:00Z","endsAt":"2026-11-29T12:00:00Z")";
  CHECK_THAT(refusal("[]"), Catch::Matchers::ContainsSubstring("the silence"));
  CHECK_THAT(refusal(R"({"startsAt":"soon"})"), Catch::Matchers::ContainsSubstring("startsAt"));
  CHECK_THAT(refusal(R"({"startsAt":"2026-11-29T10:00:00Z"})"), Catch::Matchers::ContainsSubstring("endsAt"));
  CHECK_THAT(refusal(("{" + times + "}").c_str()), Catch::Matchers::ContainsSubstring("matchers"));
  CHECK_THAT(refusal(("{" + times + R"(,"matchers":[{"value":"x"}]})").c_str()),
             Catch::Matchers::ContainsSubstring("no name"));
  CHECK_THAT(refusal(("{" + times + R"(,"matchers":[{"name":"x","value":"(","isRegex":true}]})").c_str()),
             Catch::Matchers::ContainsSubstring("("));
}
