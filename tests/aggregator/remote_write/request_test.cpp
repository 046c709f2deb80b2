#include "aggregator/remote_write/request.h"

#include "tests/aggregator/remote_write/requests.h"
#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator::remote_write;
using namespace vigil::aggregator::remote_write::testing;

namespace {

const std::vector<Sent> kTwo{{{{"__name__", "up"}, {"job", "node"}}, {{1000, 1}, {2000, 0}}},
                             {{{"__name__", "x"}}, {{1500, 0.5}}}};

}  // namespace

TEST_CASE("both versions say the same of the same series") {
  const Version version = GENERATE(Version::v1, Version::v2);
  const std::string body = version == Version::v1 ? body_v1(kTwo) : body_v2(kTwo);
  const auto read = read_request(version, body, {});
  REQUIRE(read);
  REQUIRE(read->series.size() == 2);
  CHECK(read->series[0].labels == 2);
  CHECK(read->labels[1] == LabelView{"job", "node"});
  CHECK(read->series[1].samples == 1);
  CHECK(read->samples == std::vector<vigil::promql::Point>{{1000, 1}, {2000, 0}, {1500, 0.5}});
}

TEST_CASE("metadata comes beside the series in 1.0 and with them in 2.0") {
  const std::string v1 =
      text(3, number(1, 1) + text(2, "http_requests") + text(4, "How many.") + text(5, "requests"));
  auto read = read_request(Version::v1, v1, {});
  REQUIRE(read);
  REQUIRE(read->metadata.size() == 1);
  CHECK(read->metadata[0].type == MetricType::counter);
  CHECK(read->metadata[0].family == "http_requests");
  CHECK(read->metadata[0].help == "How many.");
  CHECK(read->metadata[0].unit == "requests");

  const std::string symbols = text(4, "") + text(4, "__name__") + text(4, "m") + text(4, "Help.");
  const std::string v2 =
      symbols + text(5, text(1, varint(1) + varint(2)) + text(5, number(1, 2) + number(3, 3)));
  read = read_request(Version::v2, v2, {});
  REQUIRE(read);
  CHECK(read->series.at(0).type == MetricType::gauge);
  CHECK(read->metadata.at(0).family == "m");
  CHECK(read->metadata.at(0).help == "Help.");
}

TEST_CASE("exemplars and native histograms are counted, unknown fields are nothing") {
  const std::string series = text(1, text(1, "__name__") + text(2, "h")) + text(3, fixed(2, 1)) +
                             text(4, number(1, 5)) + number(99, 7) + fixed(98, 1);
  const auto read = read_request(Version::v1, text(1, series) + text(50, "x"), {});
  REQUIRE(read);
  CHECK(read->exemplars == 1);
  CHECK(read->histograms == 1);
  CHECK(read->series.at(0).histograms == 1);
}

TEST_CASE("no prefix of a request, and no wrong byte in it, is more than an error") {
  const Version version = GENERATE(Version::v1, Version::v2);
  const std::string body = version == Version::v1 ? body_v1(kTwo) : body_v2(kTwo);
  for (std::size_t length = 0; length < body.size(); ++length)
    (void)read_request(version, std::string_view(body).substr(0, length), {});
  for (std::size_t at = 0; at < body.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xFF}) {
      std::string wrong = body;
      wrong[at] = static_cast<char>(wrong[at] ^ flip);
      (void)read_request(version, wrong, {});
    }
  }
  CHECK_FALSE(read_request(version, "\xFF\xFF\xFF", {}));
  CHECK_FALSE(read_request(Version::v2, text(5, text(1, varint(0) + varint(7))), {}));
  CHECK_FALSE(read_request(Version::v2, text(4, "") + text(5, text(1, varint(0))), {}));
}

TEST_CASE("a request is refused as soon as it has more than is taken") {
  RequestLimits limits;
  limits.max_series = 1;
  auto read = read_request(Version::v1, body_v1(kTwo), limits);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Errc::limit);
  limits.max_series = 10;
  limits.max_samples = 2;
  read = read_request(Version::v2, body_v2(kTwo), limits);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Errc::limit);
  limits.max_samples = 10;
  limits.max_labels = 1;
  const Version version = GENERATE(Version::v1, Version::v2);
  read = read_request(version, version == Version::v1 ? body_v1(kTwo) : body_v2(kTwo), limits);
  REQUIRE(read);
  CHECK(read->series[0].too_many_labels);
  CHECK_FALSE(read->series[1].too_many_labels);
}

TEST_CASE("a body that claims to be larger than is taken, or than it can be, gets no memory") {
  CHECK(*uncompress(compressed("hello"), 5) == "hello");
  CHECK(uncompress(compressed("hello"), 4).error().code == Errc::limit);
  CHECK(uncompress("\xFF\xFF\xFF\xFF\x0F", 1 << 20).error().code == Errc::limit);
  CHECK(uncompress(varint(1 << 20) + "\x01", 1 << 21).error().code == Errc::parse);
  CHECK(uncompress("", 100).error().code == Errc::parse);
  CHECK(uncompress("not snappy at all", 1000).error().code == Errc::parse);
}

TEST_CASE("Content-Type says which version, and Content-Encoding must be snappy") {
  const auto check = [](const char* type, const char* encoding) { return version_of(type, encoding); };
  CHECK(*check("application/x-protobuf", "snappy") == Version::v1);
  CHECK(*check("application/x-protobuf", "") == Version::v1);
  CHECK(*check("Application/X-Protobuf ; proto=prometheus.WriteRequest", "Snappy") == Version::v1);
  CHECK(*check("application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy") == Version::v2);
  CHECK(*check("application/x-protobuf; q=1; proto=\"io.prometheus.write.v2.Request\"", "snappy") ==
        Version::v2);
  for (const char* type :
       {"", "application/json", "application/x-protobuf;proto=io.prometheus.write.v3.Request"})
    CHECK(check(type, "snappy").error().code == Errc::unsupported);
  CHECK(check("application/x-protobuf", "gzip").error().code == Errc::unsupported);
}
