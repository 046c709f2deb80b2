// What a maintenance says at its end, and what is known of it afterwards.
#include "aggregator/alerts/maintaining.h"

#include "aggregator/alerts/past_maintenance.h"
#include "tests/support/catch.h"

namespace vigil::alerts {
namespace {

using silences::MaintenanceProgress;
using silences::MaintenanceStep;
using silences::Silence;

constexpr std::int64_t kMinuteMs = 60'000;

Silence upgrade() {
  Silence silence;
  silence.id = "m-1";
  silence.matchers = matchers::parse_matchers("instance=web-1")->matchers;
  silence.starts_ms = 100 * kMinuteMs;
  silence.ends_ms = 130 * kMinuteMs;
  silence.author = "ada";
  silence.comment = "CHG-1";
  silence.maintenance = silences::MaintenancePlan{"Upgrade", "", {"ops", "lead"}, {}, {}, {}};
  return silence;
}

/// One whose time began and ended as planned.
Silence over_as_planned() {
  Silence silence = upgrade();
  silence.progress.begin_ms = silence.starts_ms;
  silence.progress.end_ms = silence.ends_ms;
  silence.progress.begun = silence.progress.told_begin = silence.progress.ended = true;
  return silence;
}

std::string words_of(const notify::Notification& note) {
  return std::string(note.annotations.get("summary"));
}

/// "at: by | text" of each, in minutes.
std::string past(const Silence& silence, const Labels& labels, FiringTime minutes, std::int64_t now = 200,
                 const std::vector<std::string>& receivers = {"lead", "ops"}) {
  silences::SilenceBook book;
  book.restore(silence);
  std::string out;
  for (const Event& event :
       past_maintenances(labels, {minutes.fired_ms * kMinuteMs, minutes.over_ms * kMinuteMs},
                         {book, receivers, now * kMinuteMs})) {
    CHECK(to_string(event.kind) == "maintenance_over");
    out += fmt::format("{}: {} | {}", event.at_ms / kMinuteMs, event.by, event.text);
  }
  return out;
}

const Labels kWeb{{"alertname", "HighLoad"}, {"instance", "web-1"}};

}  // namespace

TEST_CASE(
    "the digest of a maintenance has what cleared, what began inside, and which containers are not back") {
  Acting acting({}, {});
  const AlertBook book{AlertBookOptions{}};
  std::set<std::string> running{"app", "db"};
  const Ask ask = [&](std::string_view expr, std::int64_t) -> Result<std::vector<std::pair<Labels, double>>> {
    CHECK(expr == "container_state{state=\"running\", instance=\"web-1\"} == 1");
    std::vector<std::pair<Labels, double>> out;
    for (const std::string& name : running) out.push_back({Labels{{"instance", "web-1"}, {"name", name}}, 1});
    return out;
  };
  const auto over = [](std::int64_t since_ms) {
    CHECK(since_ms == 100 * kMinuteMs);
    const Labels load{{"alertname", "HighLoad"}, {"instance", "web-1"}, {"severity", "warning"}};
    const Labels disk{{"alertname", "DiskFull"}, {"instance", "web-1"}};
    const Labels other{{"alertname", "DiskFull"}, {"instance", "web-2"}};
    return std::vector<EndedAlert>{{"1", "r", 90 * kMinuteMs, 105 * kMinuteMs, load},
                                   {"2", "r", 110 * kMinuteMs, 111 * kMinuteMs, disk},
                                   {"2", "r", 115 * kMinuteMs, 116 * kMinuteMs, disk},
                                   {"3", "r", 115 * kMinuteMs, 116 * kMinuteMs, other}};
  };
  const Silence silence = upgrade();
  MaintenanceProgress progress;
  progress.begin_ms = silence.starts_ms;
  progress.end_ms = silence.ends_ms;
  maintenance_message(silence, MaintenanceStep::begin, progress,
                      {book, over, ask, acting, silence.starts_ms});
  CHECK(progress.running == std::vector<std::string>{"web-1/app", "web-1/db"});
  running = {"app"};
  const std::string digest = words_of(maintenance_message(silence, MaintenanceStep::end, progress,
                                                          {book, over, ask, acting, silence.ends_ms}));
  CHECK(digest ==
        "Upgrade is over\n"
        "Cleared: 1\n- HighLoad on web-1 (warning)\n"
        "Began and cleared inside: 1\n- DiskFull on web-1, 2 times\n"
        "Containers that ran before and do not now: 1\n- web-1/db\n"
        "For {instance=\"web-1\"}, by ada: CHG-1");
  CHECK(progress.missing == std::vector<std::string>{"web-1/db"});
}

TEST_CASE("a maintenance says at its begin that nobody knows which containers run") {
  Acting acting({}, {});
  const AlertBook book{AlertBookOptions{}};
  const Ask ask = [](std::string_view, std::int64_t) -> Result<std::vector<std::pair<Labels, double>>> {
    return fail(Errc::timeout, "too slow");
  };
  MaintenanceProgress progress;
  const std::string begun = words_of(maintenance_message(upgrade(), MaintenanceStep::begin, progress,
                                                         {book, {}, ask, acting, 100 * kMinuteMs}));
  CHECK_THAT(begun, Catch::Contains("Containers: not looked at, too slow"));
}

TEST_CASE("of receivers that a reload took away a maintenance says that they are not there") {
  silences::SilenceBook book;
  book.restore(upgrade());
  CHECK(untold(book, {"lead", "ops"}, 110 * kMinuteMs).empty());
  CHECK(untold(book, {"lead"}, 110 * kMinuteMs) ==
        std::vector<std::string>{
            "maintenance m-1 (Upgrade) is to be told to ops, and there is no such receiver"});
  CHECK(untold(book, {"lead"}, 131 * kMinuteMs).empty());
  CHECK(past(over_as_planned(), kWeb, {90, 120}, 200, {"lead"}) ==
        "130: m-1 | Upgrade; at its end: cleared; its receivers: ops (no receiver now), lead");
}

TEST_CASE("of a maintenance that is over an alert knows when it ended, and what was said of it") {
  CHECK(past(over_as_planned(), kWeb, {110, 0}) ==
        "130: m-1 | Upgrade; at its end: still firing, begun inside; its receivers: ops, lead");
  CHECK(past(over_as_planned(), kWeb, {90, 0}) ==
        "130: m-1 | Upgrade; at its end: still firing, since before it began; its receivers: ops, lead");
  CHECK(past(over_as_planned(), kWeb, {90, 140}) ==
        "130: m-1 | Upgrade; at its end: still firing, since before it began; its receivers: ops, lead");
  CHECK(past(over_as_planned(), kWeb, {90, 120}) ==
        "130: m-1 | Upgrade; at its end: cleared; its receivers: ops, lead");
  CHECK(past(over_as_planned(), kWeb, {110, 120}) ==
        "130: m-1 | Upgrade; at its end: began and cleared inside; its receivers: ops, lead");
  // It held back neither what was over before nor what began after, and no alert of another host.
  CHECK(past(over_as_planned(), kWeb, {80, 90}) == "");
  CHECK(past(over_as_planned(), kWeb, {131, 0}) == "");
  CHECK(past(over_as_planned(), {{"instance", "web-2"}}, {110, 0}) == "");
}

TEST_CASE("a maintenance that lasts, or was never begun, is not over") {
  Silence lasts = over_as_planned();
  lasts.progress.ended = false;
  CHECK(past(lasts, kWeb, {110, 0}, 120) == "");
  // Its actions run still: it holds nothing back, and its end is not told.
  CHECK(past(lasts, kWeb, {110, 0}, 131) == "130: m-1 | Upgrade; its end is still to be told");
  CHECK(past(upgrade(), kWeb, {110, 0}) == "");
  Silence plain = over_as_planned();
  plain.maintenance.reset();
  CHECK(past(plain, kWeb, {110, 0}) == "");
}

TEST_CASE("an alert of a container knows whether it was back at the end; where nobody was told it says so") {
  Silence silence = over_as_planned();
  silence.progress.running = {"web-1/app", "web-1/db"};
  silence.progress.missing = {"web-1/db"};
  silence.maintenance->receivers.clear();
  const auto of = [&](const char* name) {
    return past(silence, {{"instance", "web-1"}, {"name", name}}, {110, 0});
  };
  CHECK(of("db") ==
        "130: m-1 | Upgrade; at its end: still firing, begun inside; its container ran before and did "
        "not at the end; nobody was told of it");
  CHECK(of("app") ==
        "130: m-1 | Upgrade; at its end: still firing, begun inside; its container ran again; nobody was "
        "told of it");
  CHECK(of("new") == "130: m-1 | Upgrade; at its end: still firing, begun inside; nobody was told of it");
}

}  // namespace vigil::alerts
