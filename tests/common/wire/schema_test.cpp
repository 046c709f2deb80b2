#include "common/wire/schema.h"

#include "common/wire/names.h"
#include "tests/support/catch.h"

namespace vigil::wire {
namespace {

SourceSchema sample() {
  return {3,
          2,
          "node",
          1000,
          {{"node_load1", {}, SeriesType::gauge, Encoding::decimal, 2},
           {"node_disk_reads_total", {{"device", "sda"}}, SeriesType::counter, Encoding::decimal, 0},
           {"app_ratio", {{"device", "sda"}, {"zone", "Ö"}}, SeriesType::unknown, Encoding::float64, 0}}};
}

v1::Schema sample_message() {
  v1::Schema message;
  to_wire(sample(), message);
  return message;
}

}  // namespace

TEST_CASE("a schema arrives as it was") {
  v1::Schema message;
  to_wire(sample(), message);
  v1::Schema received;
  REQUIRE(received.ParseFromString(message.SerializeAsString()));
  const auto schema = from_wire(received);
  CAPTURE(schema);
  REQUIRE(schema);
  CHECK(schema->source_id == 3);
  CHECK(schema->version == 2);
  CHECK(schema->job == "node");
  CHECK(schema->interval_ms == 1000);
  CHECK(schema->series == sample().series);
  CHECK(message.symbols_size() == 7);  // each string once
}

TEST_CASE("a schema that breaks a limit is refused") {
  const auto refused = [](Errc code, const std::function<void(v1::Schema&)>& spoil) {
    v1::Schema message = sample_message();
    spoil(message);
    const auto schema = from_wire(message);
    REQUIRE_FALSE(schema);
    CAPTURE(schema);
    CHECK(schema.error().code == code);
  };
  refused(Errc::limit, [](auto& m) { m.set_source_id(0); });
  refused(Errc::limit, [](auto& m) { m.set_source_id(1001); });
  refused(Errc::parse, [](auto& m) { m.set_version(0); });
  refused(Errc::parse, [](auto& m) { m.clear_job(); });
  refused(Errc::parse, [](auto& m) { m.set_job("a\xFF"); });
  refused(Errc::limit, [](auto& m) { m.set_interval_ms(0); });
  refused(Errc::limit, [](auto& m) { m.set_symbols(0, std::string(257, 'x')); });
  refused(Errc::parse, [](auto& m) { m.set_symbols(0, "1st"); });
  refused(Errc::parse, [](auto& m) { m.set_symbols(0, ""); });
  refused(Errc::parse, [](auto& m) { m.set_symbols(2, "__name__"); });
  refused(Errc::parse, [](auto& m) { m.set_symbols(3, "\xC0\x80"); });
  refused(Errc::parse, [](auto& m) { m.set_symbols(3, ""); });
  refused(Errc::parse, [](auto& m) { m.mutable_series(0)->set_name(7); });
  refused(Errc::parse, [](auto& m) { m.mutable_series(1)->set_labels(0, ~0U); });
  refused(Errc::parse, [](auto& m) { m.mutable_series(1)->add_labels(0); });
  refused(Errc::parse, [](auto& m) { m.mutable_series(2)->set_labels(2, m.series(2).labels(0)); });
  refused(Errc::parse, [](auto& m) { m.mutable_series(1)->set_type(static_cast<v1::SeriesType>(3)); });
  refused(Errc::parse, [](auto& m) { m.mutable_series(1)->set_encoding(static_cast<v1::Encoding>(-1)); });
  refused(Errc::limit, [](auto& m) { m.mutable_series(1)->set_scale(13); });
  refused(Errc::parse, [](auto& m) { *m.add_series() = v1::SeriesDefinition(m.series(1)); });
  refused(Errc::limit, [](auto& m) {
    for (int i = 0; i < 33; ++i) {
      m.mutable_series(0)->add_labels(2);
      m.mutable_series(0)->add_labels(3);
    }
  });
  refused(Errc::limit, [](auto& m) {
    while (m.series_size() <= 5000) *m.add_series() = v1::SeriesDefinition(m.series(0));
  });
}

TEST_CASE("a small message cannot blow up into many megabytes of labels") {
  v1::Schema message = sample_message();
  message.clear_series();
  message.clear_symbols();
  message.add_symbols(std::string(kMaxNameBytes, 'm'));
  message.add_symbols(std::string(kMaxValueBytes, 'v'));
  for (int i = 0; i < 2000; ++i) message.add_symbols("n" + std::to_string(i));
  for (int i = 0; i < 2000; ++i) {
    v1::SeriesDefinition& series = *message.add_series();
    for (std::uint32_t label = 0; label < 32; ++label) {
      series.add_labels(2 + (static_cast<std::uint32_t>(i) + label) % 2000);
      series.add_labels(1);
    }
  }
  const auto schema = from_wire(message);
  REQUIRE_FALSE(schema);
  CHECK(schema.error().code == Errc::limit);
}

TEST_CASE("whatever a kernel puts into labels can be sent after cleaning") {
  std::vector<SeriesSpec> series = {{"m", {{"path", "/mnt/caf\xE9"}}},
                                    {"m", {{"path", "/mnt/caf\xE8"}}},
                                    {"m", {{"path", std::string(300, 'x')}}},
                                    {"9 lives", {{"__hidden", "a"}, {"a-b", "c"}, {"____", "d"}}},
                                    {"m", {{"path", "plain"}}},
                                    {"m", {{"path", "plain"}}},
                                    {"m", {{"path", "plain"}}}};
  clean(series);
  CHECK(series[0].labels.get("path") == "/mnt/caf\xEF\xBF\xBD");
  CHECK(series[1].labels.get("vigil_duplicate") == "2");
  CHECK(series[4].labels == Labels{{"path", "plain"}});
  CHECK(series[6].labels.get("vigil_duplicate") == "3");
  v1::Schema message;
  to_wire({1, 1, "node", 1000, series}, message);
  const auto received = from_wire(message);
  CAPTURE(received);
  REQUIRE(received);
  CHECK(received->series == series);
}

TEST_CASE("text is cut between characters") {
  CHECK(clean_text("aaaÖ", 4) == "aaa");
  CHECK(clean_text("aaaÖ", 5) == "aaaÖ");
  CHECK(clean_text("\xED\xA0\x80", 256).size() == 9);  // a surrogate is no character
}

TEST_CASE("names are those of Prometheus and DNS") {
  CHECK(valid_metric_name("job:node_cpu:rate5m"));
  CHECK_FALSE(valid_metric_name("1m"));
  CHECK_FALSE(valid_label_name("a:b"));
  CHECK_FALSE(valid_label_name("__name__"));
  CHECK(valid_host_name("web-1.example.org:9100"));
  CHECK_FALSE(valid_host_name("web 1"));
  CHECK_FALSE(valid_host_name(""));
}

}  // namespace vigil::wire
