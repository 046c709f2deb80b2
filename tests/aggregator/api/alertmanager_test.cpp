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
  const auto refused_for = [](const std::string& body, const char* word) {
    const auto parsed = parse_silence(body);
    INFO(body);
    return !parsed && parsed.error().message.find(word) != std::string::npos;
  };
  const std::string times = R"("startsAt":"2026-11-29T10:00:00Z","endsAt":"2026-11-29T12:00:00Z")";
  CHECK(refused_for("[]", "the silence"));
  CHECK(refused_for(R"({"startsAt":"soon"})", "startsAt"));
  CHECK(refused_for(R"({"startsAt":5})", "startsAt"));
  CHECK(refused_for(R"({"startsAt":"2026-11-29T10:00:00Z"})", "endsAt"));
  CHECK(refused_for("{" + times + "}", "matchers"));
  CHECK(refused_for("{" + times + R"(,"id":7,"matchers":[]})", "id"));
  const auto with_matcher = [&times](const char* matcher) {
    return "{" + times + R"(,"matchers":[)" + matcher + "]}";
  };
  CHECK(refused_for(with_matcher(R"({"value":"x"})"), "no name"));
  CHECK(refused_for(with_matcher(R"({"name":"x","value":5})"), "value"));
  CHECK(refused_for(with_matcher(R"({"name":"x","value":"y","isRegex":"true"})"), "isRegex"));
  CHECK(refused_for(with_matcher(R"({"name":"x","value":"(","isRegex":true})"), "("));
  CHECK(refused_for(with_matcher(R"({"name":"x","value":"[\\p{L}]{0,900}","isRegex":true})"), "large"));
}
