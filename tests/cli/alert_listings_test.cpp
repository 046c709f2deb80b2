// Alerts, silences and maintenances as programs read them: plain data, with nothing of what tables add.
#include "cli/commands/figures.h"
#include "cli/commands/route_listing.h"
#include "cli/commands/silence_listing.h"
#include "cli/commands/silence_options.h"
#include "tests/support/catch.h"

#include <boost/json.hpp>
#include <string>

namespace vigil::cli {
namespace {

boost::json::value json_of(const Listing& listing) {
  return boost::json::parse(render(listing, Format::json, Colours::never));
}

v1::Silence a_silence() {
  v1::Silence silence;
  silence.set_id("6f0c0a83-3a57");
  silence.set_state("active");
  silence.set_author("ada");
  silence.set_comment("CHG-1");
  silence.add_matchers("instance=\"web-1\"");
  silence.set_starts_ms(1'000);
  silence.set_ends_ms(9'000);
  return silence;
}

v1::Silence a_maintenance() {
  v1::Silence silence = a_silence();
  silence.mutable_maintenance()->set_title("New disks");
  silence.mutable_maintenance()->set_phase("begun");
  silence.mutable_maintenance()->add_notices_ms(3'600'000);
  silence.mutable_maintenance()->add_notices_ms(60'000);
  return silence;
}

}  // namespace

TEST_CASE("what a table says behind a summary is no part of it in JSON") {
  v1::ListAlertsResponse alerts;
  v1::Alert& alert = *alerts.add_alerts();
  alert.set_name("Full");
  alert.set_standing("silenced");
  alert.set_inhibited_by("HostDown");
  alert.add_inhibited_by_ids("f00d");
  alert.set_acked_by("ada");
  alert.set_unheard_since_ms(1'000);
  (*alert.mutable_annotations())["summary"] = "The disk is full";
  const Listing listing = alerts_listing(alerts, 5'000);
  const auto row = json_of(listing).at(0);
  CHECK(row.at("summary").as_string() == "The disk is full");
  CHECK(row.at("unheard_since_ms").as_int64() == 1'000);
  CHECK(row.at("inhibited_by_ids").at(0).as_string() == "f00d");
  const std::string table = render(listing, Format::table, Colours::never);
  for (const char* part : {"The disk is full (held back by HostDown)", "(silenced)", "(nothing heard since ",
                           "(ada looks after it)"})
    CHECK_THAT(table, Catch::Contains(part));
}

TEST_CASE("a maintenance among silences says that it is one, and what for") {
  const Listing listing = silences_listing({a_silence(), a_maintenance()});
  const auto rows = json_of(listing);
  CHECK(rows.at(0).at("kind").as_string() == "silence");
  CHECK(rows.at(1).at("kind").as_string() == "maintenance");
  CHECK(rows.at(1).at("title").as_string() == "New disks");
  CHECK(rows.at(1).at("comment").as_string() == "CHG-1");
  CHECK_THAT(render(listing, Format::table, Colours::never), Catch::Contains("New disks: CHG-1"));
}

TEST_CASE("the beginning of several ids is nobody's, and the kinds of all of them are said") {
  v1::ListSilencesResponse all;
  *all.add_silences() = a_silence();
  *all.add_silences() = a_maintenance();
  all.mutable_silences(1)->set_id("6f0c0a83-9999");
  const auto refused = [&](const std::string& given, SilenceKind kind) {
    const auto found = find_silence(given, kind, all);
    REQUIRE(!found);
    return found.error().message;
  };
  for (const SilenceKind kind : {SilenceKind::silence, SilenceKind::maintenance})
    CHECK(refused("6f0c0a83", kind) ==
          "6f0c0a83 is the beginning of 2 ids; write more of the one you mean:\n"
          "  6f0c0a83-3  silence, active: instance=\"web-1\"\n"
          "  6f0c0a83-9  maintenance, active: New disks");
  CHECK(refused("", SilenceKind::silence) == "the id is empty: `vigil silence` lists them");
  CHECK(refused("6f0c0a83-9", SilenceKind::silence) ==
        "6f0c0a83-9 is a maintenance: vigil maintenance end 6f0c0a83-9");
  CHECK(refused("6f0c0a83-3", SilenceKind::maintenance) ==
        "6f0c0a83-3 is a silence: vigil silence expire 6f0c0a83-3");
  CHECK(find_silence("6f0c0a83-3", SilenceKind::silence, all)->id() == "6f0c0a83-3a57");
  all.mutable_silences(0)->set_state("expired");
  CHECK(refused("6f0c0a83-3", SilenceKind::silence) == "silence 6f0c0a83-3 is over already");
  CHECK(refused("7", SilenceKind::maintenance) == "no maintenance 7: `vigil maintenance` lists their ids");
}

TEST_CASE("what comes again and is ended comes no more, and says so") {
  v1::Silence silence;
  silence.set_id("6f0c0a83-3a57");
  silence.mutable_maintenance()->set_title("New disks");
  CHECK(ended_text(silence) == "maintenance 6f0c0a83 is over: New disks");
  silence.set_recurrence("FREQ=WEEKLY;BYDAY=SU");
  CHECK(ended_text(silence) == "maintenance 6f0c0a83 is over and comes no more: New disks");
}

TEST_CASE("routes stand below each other, and say what calendars mute") {
  v1::ListRoutesResponse all;
  v1::Route& root = *all.add_routes();
  root.set_receiver("ops");
  root.set_muting("none");
  root.add_group_by("alertname");
  v1::Route& below = *all.add_routes();
  below.set_depth(1);
  below.add_matchers("team=\"db\"");
  below.set_receiver("db");
  below.set_continues(true);
  below.set_muting("muted");
  below.set_muted_by("nights");
  below.set_muted_until_ms(9'000);
  below.set_muted_text("muted by nights until 1970-01-01 00:00 UTC");
  below.add_mute_time_intervals("nights");
  v1::Route& nowhere = *all.add_routes();
  nowhere.set_receiver("og");
  nowhere.set_muting("none");
  nowhere.set_muted_text("told to nobody: receiver og has no channel vigil can use");
  const Listing listing = routes_listing(all);
  const auto rows = json_of(listing);
  CHECK(rows.at(0) == boost::json::parse(R"({"matchers": [], "receiver": "ops", "group_by": ["alertname"],
    "muting": "none", "muted_by": "", "muted_text": "", "muted_until_ms": null, "depth": 0, "continue": false,
    "mute_time_intervals": [], "active_time_intervals": []})"));
  CHECK(rows.at(1).at("matchers").at(0).as_string() == "team=\"db\"");
  CHECK(rows.at(1).at("muted_until_ms").as_int64() == 9'000);
  const std::string table = render(listing, Format::table, Colours::never);
  for (const char* part : {"\nall alerts ", "\n  team=\"db\" (and on) ", " told",
                           "told to nobody: receiver og", "muted by nights until 1970-01-01 00:00 UTC"})
    CHECK_THAT(table, Catch::Contains(part));
}

TEST_CASE("notices are numbers for programs") {
  const Listing listing = maintenances_listing({a_silence(), a_maintenance()});
  const auto rows = json_of(listing);
  REQUIRE(rows.as_array().size() == 1);
  CHECK(rows.at(0).at("notices_ms") == boost::json::array({3'600'000, 60'000}));
  CHECK_THAT(render(listing, Format::csv, Colours::never), Catch::Contains(",3600000; 60000,"));
}

TEST_CASE("one thing by itself is an object, and rows may stand within it") {
  const Listing one = as_pairs(silences_listing({a_silence()}));
  CHECK(json_of(one).at("id").as_string() == "6f0c0a83-3a57");
  Listing whole;
  whole.shape = Shape::pairs;
  whole.columns = {{"key", ""}, {"value", ""}};
  whole.rows.push_back({Cell::of("silence"), nested(one)});
  whole.rows.push_back({Cell::of("rows"), nested(silences_listing({a_silence(), a_maintenance()}))});
  whole.rows.push_back({Cell::of("none"), nested(silences_listing({}))});
  const auto value = json_of(whole);
  CHECK(value.at("silence").at("author").as_string() == "ada");
  CHECK(value.at("rows").as_array().size() == 2);
  CHECK(value.at("none").as_array().empty());
}

}  // namespace vigil::cli
