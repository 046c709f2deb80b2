#include "cli/output/listing.h"
#include "cli/output/numbers.h"
#include "cli/output/plot.h"
#include "cli/screen/screen.h"
#include "tests/support/catch.h"

#include <cmath>
#include <cstdlib>
#include <ctime>

namespace vigil::cli {
namespace {

Listing two_hosts() {
  Listing listing;
  listing.columns = {{"name", "HOST"}, {"cpu_ratio", "CPU", Align::right}, {"id", ""}};
  listing.rows.push_back({Cell::of("web-1"), Cell::number(0.5, "50 %"), Cell::number(std::int64_t{7})});
  listing.rows.push_back({Cell::of("däta,\"2\""), Cell::unknown(), Cell::number(std::int64_t{8})});
  return listing;
}

}  // namespace

TEST_CASE("a table aligns its columns by what is seen, not by bytes") {
  CHECK(render(two_hosts(), Format::table, Colours::never) ==
        "HOST       CPU\n"
        "web-1     50 %\n"
        "däta,\"2\"     –\n");
}

TEST_CASE("JSON has every column with its own value, unknown is null") {
  CHECK(render(two_hosts(), Format::json, Colours::never) ==
        "[\n  {\"name\":\"web-1\",\"cpu_ratio\":0.5,\"id\":7},\n  "
        "{\"name\":\"däta,\\\"2\\\"\",\"cpu_ratio\":null,\"id\":8}\n]\n");
}

TEST_CASE("rows of what goes on are lines of their own, without what begins or ends a whole") {
  CHECK(render_more(two_hosts(), Format::json, Colours::never) ==
        "{\"name\":\"web-1\",\"cpu_ratio\":0.5,\"id\":7}\n"
        "{\"name\":\"däta,\\\"2\\\"\",\"cpu_ratio\":null,\"id\":8}\n");
  CHECK(csv_header(two_hosts()) == "name,cpu_ratio,id\n");
  CHECK(render_more(two_hosts(), Format::csv, Colours::never) == "web-1,0.5,7\n\"däta,\"\"2\"\"\",,8\n");
  CHECK(render_more(two_hosts(), Format::table, Colours::never) == "web-1  50 %\ndäta,\"2\"  –\n");
}

TEST_CASE("CSV quotes as RFC 4180 says") {
  CHECK(render(two_hosts(), Format::csv, Colours::never) ==
        "name,cpu_ratio,id\nweb-1,0.5,7\n\"däta,\"\"2\"\"\",,8\n");
}

TEST_CASE("a series is a text for people and an object for programs that read JSON") {
  Listing listing;
  listing.columns = {{"series", "SERIES"},
                     {"metric", "", Align::left, Fit::whole, Programs::json},
                     {"value", "VALUE", Align::right}};
  listing.rows.push_back({Cell::of("up{a=\"b\\\"c\"}"), Cell::object({{"__name__", "up"}, {"a", "b\"c"}}),
                          Cell::number(1.0, "1")});
  CHECK(render(listing, Format::json, Colours::never) ==
        "[\n  {\"series\":\"up{a=\\\"b\\\\\\\"c\\\"}\",\"metric\":{\"__name__\":\"up\",\"a\":\"b\\\"c\"},"
        "\"value\":1}\n]\n");
  CHECK(render(listing, Format::csv, Colours::never).starts_with("series,value\n"));
}

TEST_CASE("a table wider than the terminal shortens what may be cut, and nothing else") {
  Listing listing;
  listing.columns = {
      {"name", "RULE"}, {"expression", "EXPRESSION", Align::left, Fit::cut}, {"error", "ERROR"}};
  listing.rows.push_back(
      {Cell::of("HighCpu"), Cell::of(fmt::format("{:e<20}ünd{:x<77}", "", "")), Cell::of("none")});
  const std::string narrow = render(listing, Format::table, Colours::never, 40);
  CHECK(narrow ==
        "RULE     EXPRESSION                ERROR\n"
        "HighCpu  eeeeeeeeeeeeeeeeeeeeünd…  none\n");
  for (const std::size_t width : {0, 200}) {
    CHECK(render(listing, Format::table, Colours::never, width).find(std::string(77, 'x')) !=
          std::string::npos);
  }
  CHECK(render(listing, Format::csv, Colours::never, 40).find(std::string(77, 'x')) != std::string::npos);
}

TEST_CASE("a table wider than the terminal leaves out what matters least, whole columns at a time") {
  Listing listing;
  listing.columns = {{"name", "HOST", Align::left, Fit::cut},
                     {"since", "FOR", Align::right, Fit::important},
                     {"cpu", "CPU", Align::right},
                     {"cpus", "CPUS", Align::right, Fit::optional},
                     {"clock", "CLOCK", Align::right, Fit::useful},
                     {"agent", "AGENT", Align::left, Fit::optional}};
  listing.rows.push_back(
      {Cell::of("web-1"), Cell::of("5m"), Cell::of("3 %"), Cell::of("2"), Cell::of("+0s"), Cell::of("0.1")});
  const auto at = [&](std::size_t width) { return render(listing, Format::table, Colours::never, width); };
  CHECK(at(36) == "HOST   FOR  CPU  CPUS  CLOCK  AGENT\nweb-1   5m  3 %     2    +0s  0.1\n");
  CHECK(at(34) == "HOST   FOR  CPU  CPUS  CLOCK\nweb-1   5m  3 %     2    +0s\n");
  CHECK(at(27) == "HOST   FOR  CPU  CLOCK\nweb-1   5m  3 %    +0s\n");
  CHECK(at(16) == "HOST   FOR  CPU\nweb-1   5m  3 %\n");
  CHECK(at(4) == "HOST   CPU\nweb-1  3 %\n");
  CHECK(at(0) == at(36));
  CHECK(render(listing, Format::csv, Colours::never, 4).starts_with("name,since,cpu,cpus,clock,agent\n"));
}

TEST_CASE("a column without a text in any row is not shown, and stays for programs") {
  Listing listing;
  listing.columns = {{"name", "HOST"}, {"note", "NOTE"}};
  listing.rows.push_back({Cell::of("web-1"), Cell::of("")});
  CHECK(render(listing, Format::table, Colours::never) == "HOST\nweb-1\n");
  CHECK(render(listing, Format::csv, Colours::never) == "name,note\nweb-1,\n");
  listing.rows.push_back({Cell::of("web-2"), Cell::of("clock +2m")});
  CHECK(render(listing, Format::table, Colours::never) == "HOST   NOTE\nweb-1  \nweb-2  clock +2m\n");
}

TEST_CASE("pairs are one object in JSON, lists arrays, objects their JSON in CSV") {
  Listing listing;
  listing.shape = Shape::pairs;
  listing.columns = {{"key", "WHAT"}, {"value", "VALUE"}};
  listing.rows.push_back({Cell{"hosts_up", "hosts up", Style::plain}, Cell::number(std::int64_t{2})});
  listing.rows.push_back({Cell{"problems", "", Style::plain}, Cell::list({"a", "b"})});
  listing.rows.push_back({Cell{"labels", "", Style::plain}, Cell::object({{"env", "prod"}})});
  CHECK(render(listing, Format::json, Colours::never) ==
        "{\n  \"hosts_up\": 2,\n  \"problems\": [\"a\",\"b\"],\n  \"labels\": {\"env\":\"prod\"}\n}\n");
  CHECK(render(listing, Format::csv, Colours::never) ==
        "key,value\nhosts_up,2\nproblems,a; b\nlabels,\"{\"\"env\"\":\"\"prod\"\"}\"\n");
}

TEST_CASE("numbers for people have digits enough and no more") {
  const auto c = GENERATE(values<std::pair<double, std::string>>({{0.9337931034482734, "0.933793"},
                                                                  {1234567, "1234567"},
                                                                  {1234567.89, "1234568"},
                                                                  {-0.0, "0"},
                                                                  {42, "42"},
                                                                  {1e-9, "1e-09"},
                                                                  {std::nan(""), "NaN"}}));
  CHECK(format_digits(c.first, 6) == c.second);
}

TEST_CASE("an expression is in bytes when its metrics are and nothing scales them") {
  const auto c = GENERATE(values<std::pair<std::string, Unit>>(
      {{"node_memory_MemAvailable_bytes", Unit::bytes},
       {"sum by (device) (rate(node_network_receive_bytes_total{device!=\"a/b\"}[1m]))", Unit::bytes},
       {"a_bytes / b_bytes", Unit::number},
       {"a_bytes * 8", Unit::number},
       {"count(a_bytes)", Unit::number},
       {"node_load1{file=\"x_bytes\"}", Unit::number},
       {"node_load1", Unit::number}}));
  CAPTURE(c.first);
  CHECK(unit_of(c.first) == c.second);
}

TEST_CASE("labels of an axis share a unit and differ") {
  constexpr double kGi = 1073741824.0;
  CHECK(axis_label(22.63 * kGi, {Unit::bytes, 22.63 * kGi, 0.05 * kGi}) == "22.6300 GiB");
  CHECK(axis_label(0, {Unit::bytes, 22.63 * kGi, 22.63 * kGi}) == "0.0 GiB");
  CHECK(axis_label(-0.0001, {Unit::number, 1, 1}) == "0.00");
  CHECK(axis_label(1500, {Unit::number, 2000, 2000}) == "1.50k");
}

TEST_CASE("a frame taller than the screen says how much is missing, and leaves room for the keys") {
  CHECK(fit_rows("a\nb\n", 10) == "a\nb\n\n");
  CHECK(fit_rows("a\nb\nc\nd\ne\nf\n", 6) == "a\nb\nc\n… 3 more lines: a taller window shows them\n\n");
}

TEST_CASE("a legend too long for the terminal goes on below, and no line is wider") {
  PlotSeries series{fmt::format("node_filesystem_avail_bytes{{{:x<120}}}", ""), {0, 1000}, {1, 2}};
  PlotOptions options;
  options.width = 80;
  options.end_ms = 1000;
  options.step_ms = 1000;
  const std::string text = plot({series}, options);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    CHECK(display_width(std::string_view(text).substr(at, end - at)) <= 80);
    at = end + 1;
  }
  CHECK(text.find("\n   min 1  max 2  last 2\n") != std::string::npos);
}

TEST_CASE("control characters of outside names never reach the terminal") {
  Listing listing;
  listing.columns = {{"name", "HOST"}};
  listing.rows.push_back({Cell::of("evil\x1b[2J\n")});
  CHECK(render(listing, Format::table, Colours::never) == "HOST\nevil?[2J?\n");
}

TEST_CASE("an empty table says so, empty JSON and CSV stay valid") {
  Listing listing;
  listing.columns = {{"name", "HOST"}};
  listing.empty_note = "No hosts.";
  CHECK(render(listing, Format::table, Colours::never) == "No hosts.\n");
  CHECK(render(listing, Format::json, Colours::never) == "[]\n");
  CHECK(render(listing, Format::csv, Colours::never) == "name\n");
}

TEST_CASE("a rising line is drawn from the lower left to the upper right") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  PlotSeries series{"up", {}, {}};
  for (int i = 0; i <= 10; ++i) {
    series.times_ms.push_back(i * 1000);
    series.values.push_back(i);
  }
  const std::string drawing = plot({series}, {.width = 20,
                                              .height = 2,
                                              .start_ms = 0,
                                              .end_ms = 10'000,
                                              .step_ms = 1000,
                                              .colours = Colours::never});
  INFO(drawing);
  CHECK(drawing ==
        "10.0 ┤        ⣀⡠⠤⠒⠒⠊\n"
        " 0.0 ┤⣀⡠⠤⠤⠒⠊⠉⠉\n"
        "      00:00:00 00:00:10\n"
        "━━ up\n   min 0  max 10  last 10\n");
}

TEST_CASE("a hole in the data stays a hole") {
  PlotSeries series{"gap", {0, 1000, 9000, 10'000}, {1, 1, 1, 1}};
  const std::string drawing = plot({series}, {.width = 40,
                                              .height = 2,
                                              .start_ms = 0,
                                              .end_ms = 10'000,
                                              .step_ms = 1000,
                                              .colours = Colours::never});
  CHECK(drawing.find("                    ") != std::string::npos);
}

TEST_CASE("values that are all the same still draw") {
  const PlotOptions options{
      .width = 30, .height = 3, .start_ms = 0, .end_ms = 1000, .step_ms = 1000, .colours = Colours::never};
  CHECK_FALSE(plot({{"flat", {0, 1000}, {5, 5}}}, options).empty());
}

TEST_CASE("values that are all NaN or infinite make no drawing with an axis of our invention") {
  const PlotOptions options{
      .width = 40, .height = 3, .start_ms = 0, .end_ms = 1000, .step_ms = 1000, .colours = Colours::never};
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(plot({{"none", {0, 1000}, {std::nan(""), infinity}}, {"less", {0}, {-infinity}}}, options) ==
        "There are no values to draw: all are NaN or infinite.\n");
  CHECK_THAT(plot({{"none", {0}, {std::nan("")}}, {"some", {0}, {1}}}, options),
             Catch::Contains("━━ none  no values\n") && Catch::Contains("┤"));
}

TEST_CASE("sparklines scale between their bounds") {
  CHECK(sparkline({0, 0.5, 1, std::nan("")}, 0, 1) == "▁▅█ ");
}

}  // namespace vigil::cli
