#include "aggregator/remote_write/routing.h"

#include "aggregator/remote_write/metadata_book.h"
#include "aggregator/remote_write/senders.h"
#include "tests/aggregator/remote_write/requests.h"
#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator::remote_write;
using namespace vigil::aggregator::remote_write::testing;

namespace {

Routed routed(const std::vector<Sent>& sent, const FamilyType& type_of = {}) {
  const std::string body = body_v1(sent);
  const auto request = read_request(Version::v1, body, {});
  REQUIRE(request);
  return route(*request, {16, 64}, type_of);
}

Sent one(std::vector<Label> labels) {
  return {std::move(labels), {{1000, 1}}};
}

}  // namespace

TEST_CASE("a series belongs to its instance, else its host, else its job, and keeps its labels") {
  const auto host_of = [](std::vector<Label> labels) {
    labels.insert(labels.begin(), {"__name__", "m"});
    const auto result = routed({one(std::move(labels))});
    REQUIRE(result.writes.size() == 1);
    return result.writes[0].host;
  };
  CHECK(host_of({{"instance", "web-1:9100"}, {"job", "node"}}) == "remote_write/web-1:9100");
  CHECK(host_of({{"host", "db-1"}, {"job", "telegraf"}}) == "remote_write/db-1");
  CHECK(host_of({{"job", "batch"}}) == "remote_write/batch");
  CHECK(host_of({}) == "remote_write/-");
  CHECK(host_of({{"instance", "a\nb"}}) == "remote_write/a?b");
  CHECK(host_of({{"instance", ""}, {"job", "j"}}) == "remote_write/j");
}

TEST_CASE("labels are sorted, empty ones are none, and series of one host are one write") {
  const auto result =
      routed({one({{"zone", "b"}, {"__name__", "m"}, {"instance", "i"}, {"empty", ""}}),
              one({{"__name__", "n"}, {"instance", "j"}}), one({{"__name__", "o"}, {"instance", "i"}})});
  REQUIRE(result.writes.size() == 2);
  CHECK(result.invalid == 0);
  REQUIRE(result.writes[0].series.size() == 2);
  CHECK(result.writes[0].series[0].labels == Labels{{"__name__", "m"}, {"instance", "i"}, {"zone", "b"}});
  CHECK(result.writes[0].samples.size() == 2);
}

TEST_CASE("a series that is not sound costs itself only") {
  const auto check = [](std::vector<Label> labels, const std::string& problem) {
    const auto result = routed({one({{"__name__", "good"}}), one(std::move(labels))});
    CHECK(result.invalid == 1);
    CHECK(result.writes.size() == 1);
    CHECK_THAT(result.problem, Catch::Contains(problem));
  };
  check({{"job", "nameless"}}, "without a name");
  check({{"__name__", "m"}, {"a", "1"}, {"a", "2"}}, "label a twice");
  check({{"__name__", "m"}, {"", "1"}}, "without a name");
  check({{"__name__", "m"}, {"a_name_of_seventeen", "1"}}, "at most 16");
  check({{"__name__", "m"}, {"a", std::string(65, 'x')}}, "at most 64");
  check({{"__name__", "m"}, {"a", "\xFF"}}, "not UTF-8");
}

TEST_CASE("what a series is, metadata says, else its name") {
  MetadataBook book;
  const std::vector<Metadata> told{{"weight", MetricType::gauge, "Help.", ""},
                                   {"requests", MetricType::counter, "", ""},
                                   {"latency", MetricType::histogram, "", "seconds"}};
  book.put(told);
  CHECK(book.type_of("weight") == SeriesType::gauge);
  CHECK(book.type_of("requests") == SeriesType::counter);
  CHECK(book.type_of("requests_total") == SeriesType::counter);
  CHECK(book.type_of("latency_bucket") == SeriesType::counter);
  CHECK(book.type_of("other") == SeriesType::unknown);
  CHECK(book.of("weight")->help == "Help.");
  CHECK(book.of("latency_sum")->unit == "seconds");
  CHECK_FALSE(book.of("other"));
  const auto result = routed({one({{"__name__", "other_total"}}), one({{"__name__", "weight"}})},
                             [&](std::string_view name) { return book.type_of(name); });
  CHECK(result.writes.at(0).series[0].type == SeriesType::counter);
  CHECK(result.writes.at(0).series[1].type == SeriesType::gauge);
}

TEST_CASE("a sender that sends too much waits, others do not") {
  Senders senders({100, 60});
  CHECK_FALSE(senders.admit("10.0.0.1", 1500, 0).wait_ms);
  const auto late = senders.admit("10.0.0.1", 1, 0);
  REQUIRE(late.wait_ms);
  CHECK(*late.wait_ms > 4000);
  CHECK_FALSE(senders.admit("10.0.0.2", 1, 0).wait_ms);
  CHECK_FALSE(senders.admit("10.0.0.1", 1, 6000).wait_ms);
  const auto quota = senders.admit("10.0.0.2", 1, 6000).quota;
  int taken = 0;
  while (quota->take(6000)) ++taken;
  CHECK(taken == 60);
  CHECK(quota->take(7500));
  CHECK(senders.size() == 2);
}
