#include "cli/output/listing.h"
#include "cli/output/plot.h"
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
      {Cell::of("HighCpu"), Cell::of(fmt::format("{:e>20}ünd{:x>77}", "", "")), Cell::of("none")});
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

TEST_CASE("control characters of outside names never reach the terminal") {
  Listing listing;
  listing.columns = {{"name", "HOST"}};
  listing.rows.push_back({Cell::of("evil\x1b[2J\n")});
  CHECK(render(listing, Format::table, Colours::never) == "HOST\nevil [2J \n");
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
        "━━ up  min 0  max 10  last 10\n");
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

TEST_CASE("values that are all the same, or none at all, still draw") {
  const PlotOptions options{
      .width = 30, .height = 3, .start_ms = 0, .end_ms = 1000, .step_ms = 1000, .colours = Colours::never};
  CHECK_FALSE(plot({{"flat", {0, 1000}, {5, 5}}}, options).empty());
  CHECK(plot({{"none", {0}, {std::nan("")}}}, options).find("no values") != std::string::npos);
}

TEST_CASE("sparklines scale between their bounds") {
  CHECK(sparkline({0, 0.5, 1, std::nan("")}, 0, 1) == "▁▅█ ");
}

}  // namespace vigil::cli
