#include "aggregator/silences/silence_book.h"
#include "aggregator/silences/silence_json.h"
#include "tests/aggregator/calendar/times.h"

#include <limits>

namespace vigil::silences {
namespace {

constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

std::int64_t at(std::string_view text) {
  return *parse_time(text, 0);
}

Silence silence(std::string_view matchers, std::int64_t starts_ms, std::int64_t ends_ms) {
  Silence made;
  made.matchers = matchers::parse_matchers(matchers)->matchers;
  made.starts_ms = starts_ms;
  made.ends_ms = ends_ms;
  made.author = "ada";
  made.comment = "new disks";
  return made;
}

/// Sundays from 22:00 in Berlin, from 1 March 2026 on.
Silence sundays(calendar::seconds length, const char* rule = "FREQ=WEEKLY;BYDAY=SU") {
  Silence made = silence("instance=db", at("2026-03-01T00:00:00Z"), kForever);
  made.window =
      *calendar::RecurringWindow::create(calendar::local_time("2026-03-01T22:00:00"), length,
                                         calendar::zone("Europe/Berlin"), *calendar::parse_recurrence(rule));
  return made;
}

}  // namespace

TEST_CASE("the state of a silence, and when it is next another one") {
  const auto f = [](const Silence& s, std::int64_t t_ms, State state, std::optional<std::int64_t> next) {
    INFO(format_rfc3339(t_ms));
    CHECK(to_string(s.state_at(t_ms)) == to_string(state));
    CHECK(s.next_change_ms(t_ms) == next);
  };
  const Silence once = silence("a=b", 1000, 2000);
  f(once, 999, State::pending, 1000);
  f(once, 1000, State::active, 2000);
  f(once, 1999, State::active, 2000);
  f(once, 2000, State::expired, std::nullopt);

  const Silence weekly = sundays(std::chrono::hours(2));
  f(weekly, at("2026-02-28T00:00:00Z"), State::pending, at("2026-03-01T21:00:00Z"));
  f(weekly, at("2026-03-01T20:59:59.999Z"), State::pending, at("2026-03-01T21:00:00Z"));
  f(weekly, at("2026-03-01T21:00:00Z"), State::active, at("2026-03-01T23:00:00Z"));
  f(weekly, at("2026-03-01T23:00:00Z"), State::pending, at("2026-03-08T21:00:00Z"));
  f(weekly, at("2026-03-29T20:00:00Z"), State::active, at("2026-03-29T22:00:00Z"));  // summer time
  Silence ends = sundays(std::chrono::hours(2));
  ends.ends_ms = at("2026-03-08T22:00:00Z");
  f(ends, at("2026-03-08T21:30:00Z"), State::active, ends.ends_ms);
  f(ends, ends.ends_ms, State::expired, std::nullopt);
  const Silence twice = sundays(std::chrono::hours(2), "FREQ=WEEKLY;COUNT=2");
  f(twice, at("2026-03-08T21:30:00Z"), State::active, at("2026-03-08T23:00:00Z"));
  f(twice, at("2026-03-08T23:00:00Z"), State::expired, std::nullopt);
  // Times that touch are one.
  const Silence days = sundays(std::chrono::hours(24), "FREQ=DAILY;COUNT=3");
  f(days, at("2026-03-02T12:00:00Z"), State::active, at("2026-03-04T21:00:00Z"));
}

TEST_CASE("which alerts a silence mutes, and when") {
  const auto f = [](const Silence& s, const Labels& labels, std::int64_t t_ms, bool expected) {
    INFO(labels.to_string() << t_ms);
    CHECK(s.mutes(labels, t_ms) == expected);
  };
  const Silence once = silence("a=~\"x|y\", b!=\"1\"", 1000, 2000);
  f(once, {{"a", "x"}}, 1000, true);
  f(once, {{"a", "x"}}, 2000, false);
  f(once, {{"a", "x"}, {"b", "1"}}, 1000, false);
  f(once, {{"b", "2"}}, 1000, false);
  f(sundays(std::chrono::hours(2)), {{"instance", "db"}}, at("2026-03-01T22:00:00Z"), true);
  f(sundays(std::chrono::hours(2)), {{"instance", "db"}}, at("2026-03-02T22:00:00Z"), false);
}

TEST_CASE("silences that make no sense are refused") {
  const auto f = [](Silence s, const char* message) {
    const auto fine = check(s);
    REQUIRE_FALSE(fine);
    INFO(fine.error().message);
    CHECK(fine.error().message.find(message) != std::string::npos);
  };
  f(silence("", 1, 2), "needs a matcher");
  f(silence("a=~\".*\",b=\"\"", 1, 2), "at least one matcher must not");
  f(silence("a=b", 2, 2), "ends after it starts");
  Silence nobody = silence("a=b", 1, 2);
  nobody.author = "";
  f(nobody, "needs an author");
  nobody.author = "ada";
  nobody.comment = "";
  f(nobody, "needs a comment");
  CHECK(check(silence("a=~\".*\",b=1", 1, 2)));
}

TEST_CASE("silences are put in, changed and ended") {
  SilenceBook book;
  const auto id = book.put(silence("a=b", 500, 5000), "s1", 1000);
  REQUIRE(id);
  CHECK(*id == "s1");
  CHECK(book.find("s1")->starts_ms == 1000);  // not in the past
  CHECK(book.muting({{"a", "b"}}, 1000).size() == 1);
  CHECK(book.muting({{"a", "c"}}, 1000).empty());
  CHECK(book.next_change_ms(1000) == 5000);

  Silence longer = *book.find("s1");
  longer.ends_ms = 9000;
  CHECK(*book.put(longer, "s2", 2000) == "s1");
  CHECK(book.find("s1")->ends_ms == 9000);
  CHECK(book.size() == 1);

  Silence other = *book.find("s1");
  other.matchers = matchers::parse_matchers("a=c")->matchers;
  CHECK(*book.put(other, "s3", 3000) == "s3");
  CHECK(book.find("s1")->state_at(3000) == State::expired);
  CHECK(book.find("s3")->starts_ms == 3000);

  // One that has not begun may begin at another time.
  Silence later = silence("a=b", 8000, 9000);
  CHECK(*book.put(later, "s4", 3000) == "s4");
  later.id = "s4";
  later.starts_ms = 7000;
  CHECK(*book.put(later, "s5", 3000) == "s4");
  CHECK(book.find("s4")->starts_ms == 7000);

  CHECK(book.expire("s4", 4000));
  CHECK(book.find("s4")->state_at(4000) == State::expired);
  CHECK(book.expire("s4", 4000).error().code == Errc::conflict);
  CHECK(book.expire("none", 4000).error().code == Errc::not_found);
  later.id = "none";
  CHECK(book.put(later, "s6", 3000).error().code == Errc::not_found);
  CHECK(book.put(silence("a=b", 1, 2), "s7", 3000).error().message == "a silence ends after now");

  std::string listed;
  for (const Silence* one : book.listed(4000)) listed += one->id + ' ';
  CHECK(listed == "s3 s1 s4 ");
  CHECK(book.running(4000) == 1);
  CHECK(book.is_muted({{"a", "b"}}, 2500) == !book.muting({{"a", "b"}}, 2500).empty());
  CHECK(book.forget(3500, 10, 4000) == std::vector<std::string>{"s1"});
  CHECK(book.size() == 2);
  CHECK(book.forget(0, 0, 4000) == std::vector<std::string>{"s4"});  // more than are to be kept
  CHECK(book.size() == 1);
}

TEST_CASE("silences are stored and read back") {
  calendar::Zones zones;
  for (Silence s :
       {silence("a=~\"x|\\\"y\", \"ü b\"!=c", 1000, 2000),
        sundays(std::chrono::minutes(90), "FREQ=MONTHLY;BYDAY=2TU,-1FR;UNTIL=20301231T000000Z")}) {
    s.id = "s1";
    s.updated_ms = 7;
    const auto again = decode_silence(encode(s), zones);
    REQUIRE(again);
    CHECK(encode(*again) == encode(s));
    CHECK(again->window.has_value() == s.window.has_value());
    CHECK(again->author == "ada");
  }
  for (const char* wrong : {"", "{}", R"({"id":"x","matchers":"a"})",
                            R"({"id":"x","matchers":"a=b","window":{"zone":"No/Where"}})"})
    CHECK_FALSE(decode_silence(wrong, zones));
}

}  // namespace vigil::silences
