#include "aggregator/silences/maintenance.h"

#include "aggregator/silences/silence_book.h"
#include "aggregator/silences/silence_json.h"
#include "tests/aggregator/calendar/times.h"

namespace vigil::silences {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;

Silence maintenance(std::int64_t starts_min, std::int64_t ends_min) {
  Silence made;
  made.id = "m";
  made.matchers = matchers::parse_matchers("instance=db")->matchers;
  made.starts_ms = starts_min * kMinuteMs;
  made.ends_ms = ends_min * kMinuteMs;
  made.author = "ada";
  made.comment = "CHG-1";
  made.maintenance = MaintenancePlan{"Upgrade", "no logins",
                                     {"ops"},   {std::chrono::minutes(60), std::chrono::minutes(10)},
                                     {},        {{"up", "up == 1"}}};
  return made;
}

/// The steps at each of these minutes.
std::string steps(
    const Silence& silence, MaintenanceProgress& progress, std::vector<std::int64_t> minutes,
    const AreOver& are_over = [](const auto&) { return true; }) {
  std::string out;
  for (const std::int64_t minute : minutes) {
    while (const auto step = next_step(silence, progress, minute * kMinuteMs, are_over))
      out += fmt::format("{}{}@{}", out.empty() ? "" : " ", to_string(*step), minute);
  }
  return out;
}

std::string steps(const Silence& silence, std::vector<std::int64_t> minutes) {
  MaintenanceProgress progress;
  return steps(silence, progress, std::move(minutes));
}

}  // namespace

TEST_CASE("a maintenance is announced, begins and ends, each once") {
  const Silence once = maintenance(100, 130);
  CHECK(steps(once, {0, 39, 40, 41, 89, 90, 91, 99, 100, 101, 129, 130, 131}) ==
        "notice@40 notice@90 begin@100 end@130");
  // Planned late, or nobody was there: the nearest notice alone.
  CHECK(steps(once, {95, 100, 130}) == "notice@95 begin@100 end@130");
  CHECK(steps(once, {105, 131}) == "begin@105 end@131");
  CHECK(steps(once, {200}) == "");
  CHECK(steps(once, {40, 131}) == "notice@40 end@131");  // who was told of it is told its end
}

TEST_CASE("what is told survives a restart") {
  const Silence once = maintenance(100, 130);
  MaintenanceProgress progress;
  std::string told;
  for (const std::int64_t minute : {40, 41, 90, 91, 100, 101, 130, 131}) {
    progress = *decode_progress(encode(progress));
    told += steps(once, progress, {minute}) + " ";
  }
  CHECK(told == "notice@40  notice@90  begin@100  end@130  ");
}

TEST_CASE("one that is ended early ends, one that has not begun is cancelled where people know of it") {
  SilenceBook book;
  Silence plan = maintenance(100, 130);
  plan.id.clear();
  REQUIRE(book.put(plan, "m", 0));
  MaintenanceProgress progress;
  CHECK(steps(*book.find("m"), progress, {100}) == "begin@100");
  REQUIRE(book.expire("m", 110 * kMinuteMs));
  CHECK(steps(*book.find("m"), progress, {110, 130}) == "end@110");

  REQUIRE(book.put(plan, "n", 0));
  MaintenanceProgress announced;
  CHECK(steps(*book.find("n"), announced, {50}) == "notice@50");
  REQUIRE(book.expire("n", 60 * kMinuteMs));
  CHECK(steps(*book.find("n"), announced, {60, 100, 130}) == "cancelled@60");

  REQUIRE(book.put(plan, "o", 0));
  MaintenanceProgress unknown;
  CHECK(steps(*book.find("o"), unknown, {10}) == "");
  REQUIRE(book.expire("o", 20 * kMinuteMs));
  CHECK(steps(*book.find("o"), unknown, {20, 100, 130}) == "");
}

TEST_CASE("one that is made longer ends later; another begin is told anew") {
  Silence plan = maintenance(100, 130);
  MaintenanceProgress progress;
  CHECK(steps(plan, progress, {100}) == "begin@100");
  plan.ends_ms = 150 * kMinuteMs;
  CHECK(steps(plan, progress, {131, 150}) == "end@150");

  plan = maintenance(100, 130);
  MaintenanceProgress other;
  CHECK(steps(plan, other, {45}) == "notice@45");
  plan.starts_ms = 110 * kMinuteMs;
  CHECK(steps(plan, other, {45, 50, 100, 110, 130}) == "cancelled@45 notice@50 notice@100 begin@110 end@130");
}

TEST_CASE("what people are told waits for the actions before and after") {
  Silence plan = maintenance(100, 130);
  plan.maintenance->run_before = {"pg-dump"};
  plan.maintenance->run_after = {"restart@web-1"};
  bool over = false;
  const auto are_over = [&over](const auto&) { return over; };
  MaintenanceProgress progress;
  CHECK(steps(plan, progress, {100, 101}, are_over) == "ask_before@100");
  progress.runs_before = {"run-1"};
  progress = *decode_progress(encode(progress));
  CHECK(progress.runs_before == std::vector<std::string>{"run-1"});
  over = true;
  CHECK(steps(plan, progress, {102, 103}, are_over) == "begin@102");
  over = false;
  CHECK(steps(plan, progress, {130, 131, 140}, are_over) == "ask_after@130");
  over = true;
  CHECK(steps(plan, progress, {150, 151}, are_over) == "end@150");
  // One whose backup takes longer than all of it has its end told, and says how far the backup is.
  over = false;
  MaintenanceProgress slow;
  CHECK(steps(plan, slow, {100, 130}, are_over) == "ask_before@100 ask_after@130");
  CHECK(planned_action("restart@web-1").host == "web-1");
  CHECK(planned_action("pg-dump").name == "pg-dump");
}

TEST_CASE("one that comes again goes through all of it each time") {
  Silence weekly = maintenance(0, 0);
  weekly.starts_ms = *parse_time("2026-03-01T00:00:00Z", 0);
  weekly.ends_ms = *parse_time("2026-03-12T00:00:00Z", 0);
  weekly.window = *calendar::RecurringWindow::create(calendar::local_time("2026-03-01T22:00:00"),
                                                     std::chrono::hours(1), calendar::zone("Europe/Berlin"),
                                                     *calendar::parse_recurrence("FREQ=WEEKLY;BYDAY=SU"));
  MaintenanceProgress progress;
  std::string told;
  for (std::int64_t t_ms = weekly.starts_ms; t_ms < weekly.ends_ms + 10 * kMinuteMs; t_ms += kMinuteMs) {
    while (const auto step = next_step(weekly, progress, t_ms, [](const auto&) { return true; }))
      told += fmt::format("{} {} ", to_string(*step), format_rfc3339(t_ms).substr(8, 8));
  }
  const auto next = weekly.time_at(*parse_time("2026-03-02T00:00:00Z", 0));
  REQUIRE(next);
  CHECK(format_rfc3339(next->begin_ms).starts_with("2026-03-08T21:00:00"));
  CHECK_FALSE(weekly.time_at(*parse_time("2026-03-08T22:00:00Z", 0)));
  CHECK(told ==
        "notice 01T20:00 notice 01T20:50 begin 01T21:00 end 01T22:00 "
        "notice 08T20:00 notice 08T20:50 begin 08T21:00 end 08T22:00 ");
}

TEST_CASE("a maintenance is stored with its silence") {
  calendar::Zones zones;
  Silence plan = maintenance(100, 130);
  plan.progress.begin_ms = 6'000'000;
  plan.progress.running = {"db/postgres", "db/app"};
  plan.progress.missing = {"db/app"};
  plan.maintenance->before = {{"", "absent(x)"}};
  const auto back = decode_silence(encode(plan), zones);
  REQUIRE(back);
  CHECK(encode(*back) == encode(plan));
  CHECK(back->progress == plan.progress);
  CHECK(back->maintenance->notices == plan.maintenance->notices);
  CHECK(back->maintenance->after[0].name == "up");
}

TEST_CASE("what is wrong with a maintenance is said") {
  const auto wrong = [](auto change) {
    Silence plan = maintenance(100, 130);
    change(*plan.maintenance);
    const auto fine = check(plan);
    return fine ? std::string("fine") : fine.error().message;
  };
  using Catch::Contains;
  CHECK(wrong([](MaintenancePlan&) {}) == "fine");
  CHECK_THAT(wrong([](MaintenancePlan& plan) { plan.title.clear(); }), Contains("needs a title"));
  CHECK_THAT(wrong([](MaintenancePlan& plan) { plan.receivers.clear(); }), Contains("somebody who is told"));
  CHECK_THAT(wrong([](MaintenancePlan& plan) { plan.notices = {std::chrono::hours(-1)}; }),
             Contains("60 days"));
  CHECK_THAT(wrong([](MaintenancePlan& plan) {
               plan.after = {{"", "up =="}};
             }),
             Contains("the check after 'up =='"));
  CHECK_THAT(wrong([](MaintenancePlan& plan) { plan.title.assign(300, 'x'); }), Contains("200 bytes"));
}

}  // namespace vigil::silences
