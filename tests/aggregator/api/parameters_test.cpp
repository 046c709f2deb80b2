#include "aggregator/api/parameters.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::api;

namespace {

http::Request asked(const std::string& query) {
  return *http::parse_target("GET", "/?" + query);
}

}  // namespace

TEST_CASE("times are seconds or RFC 3339, and what Go's clients write for always") {
  CHECK(*parse_timestamp("1435781451.781") == 1435781451781);
  CHECK(*parse_timestamp("1435781451") == 1435781451000);
  CHECK(*parse_timestamp("-1.5") == -1500);
  CHECK(*parse_timestamp("1.5e9") == 1'500'000'000'000);
  CHECK(*parse_timestamp("2015-07-01T20:10:51.781Z") == 1435781451781);
  CHECK(*parse_timestamp("2015-07-01T22:10:51+02:00") == 1435781451000);
  CHECK(*parse_timestamp("-292273086-05-16T16:47:06Z") < -8'000'000'000'000'000);
  CHECK(*parse_timestamp("+292277025-08-18T07:12:54.999999999Z") > 8'000'000'000'000'000);
  CHECK(*parse_timestamp("1e300") > 8'000'000'000'000'000);
  for (const char* wrong : {"", "now", "5m", "2015-07-01", "nan", "14:00", "1435781451x", " 1"}) {
    INFO(wrong);
    CHECK_FALSE(parse_timestamp(wrong));
  }
}

TEST_CASE("durations are seconds or Prometheus's") {
  CHECK(*parse_seconds_or_duration("15") == 15'000);
  CHECK(*parse_seconds_or_duration("0.5") == 500);
  CHECK(*parse_seconds_or_duration("1h30m") == 5'400'000);
  CHECK(*parse_seconds_or_duration("250ms") == 250);
  CHECK_FALSE(parse_seconds_or_duration("fast"));
  CHECK_FALSE(parse_seconds_or_duration("inf"));
}

TEST_CASE("a range needs start, end and step, in order, and not too many steps") {
  const auto range = range_parameters(asked("start=10&end=70&step=30s"), promql::kMaxSteps);
  REQUIRE(range);
  CHECK(range->start_ms == 10'000);
  CHECK(range->end_ms == 70'000);
  CHECK(range->step_ms == 30'000);
  CHECK(range_parameters(asked("start=0&end=11000&step=1"), promql::kMaxSteps));
  const auto error = [](const std::string& query) {
    return range_parameters(asked(query), promql::kMaxSteps).error().message;
  };
  CHECK(error("end=1&step=1") == "parameter start: it is missing");
  CHECK(error("start=1&step=1") == "parameter end: it is missing");
  CHECK(error("start=1&end=1") == "parameter step: it is missing");
  CHECK(error("start=2&end=1&step=1") == "parameter end: it lies before start");
  CHECK(error("start=1&end=2&step=0").starts_with("parameter step: "));
  CHECK(error("start=1&end=2&step=0.0001") ==
        "parameter step: '0.0001' must be more than 0, a millisecond at the least");
  CHECK(error("start=1&end=2&step=-1").starts_with("parameter step: "));
  CHECK(error("start=x&end=2&step=1").starts_with("parameter start: 'x' is no time"));
  CHECK(error("start=0&end=11001&step=1").find("11000 points") != std::string::npos);
}

TEST_CASE("match[] may come often, and must not take everything") {
  const auto lists = match_parameters(asked("match[]=up&match[]=%7Bjob=%22node%22%7D"));
  REQUIRE(lists);
  CHECK(lists->size() == 2);
  CHECK(match_parameters(asked(""))->empty());
  CHECK(match_parameters(asked("match[]=%7B%7D")).error().message.starts_with("parameter match[]: "));
  CHECK_FALSE(match_parameters(asked("match[]=%7Ba=~%22.*%22%7D")));
  CHECK_FALSE(match_parameters(asked("match[]=rate(up[5m])")));
}

TEST_CASE("limits are whole numbers") {
  CHECK(*limit_parameter(asked("")) == 0);
  CHECK(*limit_parameter(asked("limit=7")) == 7);
  CHECK_FALSE(limit_parameter(asked("limit=-1")));
  CHECK_FALSE(limit_parameter(asked("limit=many")));
}

TEST_CASE("escaped names of labels are unescaped, wrong escapes left alone") {
  CHECK(unescape_name("job") == "job");
  CHECK(unescape_name("U__http_2e_status") == "http.status");
  CHECK(unescape_name("U__a__b") == "a_b");
  CHECK(unescape_name("U___20ac_") == "€");
  CHECK(unescape_name("U___1f600_") == "😀");
  CHECK(unescape_name("U__a_zz_") == "U__a_zz_");
  CHECK(unescape_name("U__a_2e") == "U__a_2e");
  CHECK(unescape_name("U__a_d800_") == "U__a_d800_");
  CHECK(unescape_name("U__a.b") == "U__a.b");
  CHECK(unescape_name("U__") == "");
}
