#include "aggregator/channels/backlog.h"

#include "tests/aggregator/channels/messages.h"

namespace vigil::channels {
namespace {

using notify::Kind;
using test::group_of;
using test::group_row;
using test::note_of;

std::string hosts(const notify::Shipment& shipment) {
  std::string out;
  for (const notify::Notification& alert : merged(shipment).alerts)
    out += fmt::format("{}{}:{}", out.empty() ? "" : " ", alert.instance, to_string(alert.kind));
  return out;
}

}  // namespace

TEST_CASE("a backlog says what the newest message says, and the ends that only older ones tell") {
  CHECK(hosts({{group_row(group_of({note_of("a"), note_of("b")})), group_row(group_of({note_of("a")}))}}) ==
        "a:firing");
  CHECK(hosts({{group_row(group_of({note_of("a"), note_of("b", Kind::resolved)})),
                group_row(group_of({note_of("a")}))}}) == "a:firing b:resolved");
  CHECK(hosts({{group_row(group_of({note_of("a", Kind::resolved)})), group_row(group_of({note_of("a")}))}}) ==
        "a:firing");
  // It ended, and fires again; of that no end is told.
  CHECK(hosts({{group_row(group_of({note_of("a", Kind::resolved)})), group_row(group_of({note_of("a")})),
                group_row(group_of({note_of("b")}))}}) == "b:firing");
  CHECK(hosts({{group_row(group_of({note_of("a", Kind::resolved)})),
                group_row(group_of({note_of("b", Kind::resolved), note_of("c")}))}}) ==
        "c:firing b:resolved a:resolved");
}

TEST_CASE("a row without a group is told of as one alert") {
  CHECK(hosts({{test::row_of(1, note_of("a"))}}) == "a:firing");
}

TEST_CASE("texts are whole UTF-8 without NUL") {
  notify::Notification note = note_of("a");
  note.labels.set("x", std::string("\xC3", 1) + std::string(1, '\0') + "ü");
  CHECK(merged({{group_row(group_of({note}))}}).alerts[0].labels.get("x") == "\uFFFD\uFFFDü");
}

}  // namespace vigil::channels
