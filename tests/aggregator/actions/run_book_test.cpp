// What becomes of a run, without anything that runs.
#include "aggregator/actions/run_book.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::actions;

namespace {

constexpr std::int64_t kMinute = 60'000;

ActionConfig action(const std::string& name) {
  ActionConfig out;
  out.name = name;
  out.command = {"/bin/true"};
  return out;
}

ActionsPtr actions_of(std::vector<ActionConfig> actions) {
  return std::make_shared<const std::vector<ActionConfig>>(std::move(actions));
}

Order order(const std::string& name, const std::string& host = "web-1", Trigger trigger = Trigger::firing) {
  Order out;
  out.action = name;
  out.trigger = trigger;
  out.subject.host = host;
  out.subject.fingerprint = "f-" + host;
  out.subject.alert = "Down";
  return out;
}

Outcome succeeded() {
  Outcome out;
  out.state = RunState::succeeded;
  out.code = 0;
  return out;
}

std::string state_of(const RunBook& book, const std::string& id) {
  const Run* run = book.find(id);
  if (run == nullptr) return "none";
  return std::string(to_string(run->state)) + (run->reason.empty() ? "" : ": " + run->reason);
}

}  // namespace

TEST_CASE("a run waits, begins and ends") {
  RunBook book(actions_of({action("restart")}));
  CHECK(book.ask(order("other"), "x", 1'000).error().code == Errc::not_found);
  CHECK(book.ask(order("restart"), "a", 1'000).value().state == RunState::queued);
  CHECK(book.take_changed() == std::set<std::string>{"a"});
  CHECK(book.begin_due(2'000) == std::vector<std::string>{"a"});
  CHECK(book.begin_due(2'000).empty());
  CHECK(book.find("a")->started_ms == 2'000);
  const Run* ended = book.end("a", succeeded(), 3'000);
  REQUIRE(ended != nullptr);
  CHECK(ended->state == RunState::succeeded);
  CHECK(ended->ended_ms == 3'000);
  CHECK(book.end("a", succeeded(), 4'000) == nullptr);
  CHECK(book.end("nobody", succeeded(), 4'000) == nullptr);
}

TEST_CASE("cooldown is of a host, the limit of an hour is of all") {
  ActionConfig restart = action("restart");
  restart.cooldown = std::chrono::minutes(10);
  restart.max_per_hour = 3;
  restart.concurrency = 10;
  RunBook book(actions_of({restart}));
  const auto ask = [&](const std::string& id, const std::string& host, std::int64_t at) {
    REQUIRE(book.ask(order("restart", host), id, at));
    for (const std::string& begun : book.begin_due(at)) book.end(begun, succeeded(), at);
    return state_of(book, id);
  };
  CHECK(ask("a", "web-1", 1 * kMinute) == "succeeded");
  CHECK(ask("b", "web-1", 10 * kMinute) == "skipped: cooldown of 10m: it ran at 1970-01-01 00:01:00 UTC");
  CHECK(ask("c", "web-2", 10 * kMinute) == "succeeded");
  CHECK(ask("d", "web-1", 11 * kMinute) == "succeeded");  // what was skipped holds nothing up
  CHECK(ask("e", "web-3", 12 * kMinute) == "skipped: it ran 3 times within an hour, as often as it may");
  CHECK(ask("f", "web-3", 61 * kMinute) == "succeeded");
}

TEST_CASE("what ran while the clock was ahead does not keep others from running until then") {
  constexpr std::int64_t kYear = 365LL * 86'400'000;
  ActionConfig restart = action("restart");
  restart.cooldown = std::chrono::minutes(10);
  restart.max_per_hour = 1;
  RunBook book(actions_of({restart}));
  REQUIRE(book.ask(order("restart"), "a", kYear));
  CHECK(book.begin_due(kYear).size() == 1);
  book.end("a", succeeded(), kYear);

  SECTION("as if it had run when the clock was set back") {
    book.expire(kMinute);
    REQUIRE(book.ask(order("restart"), "b", 2 * kMinute));
    CHECK(state_of(book, "b") == "skipped: cooldown of 10m: it ran at 1970-01-01 00:01:00 UTC");
    CHECK(book.ask(order("restart"), "c", 61 * kMinute).value().state == RunState::queued);
  }
  SECTION("nor after a start") {
    RunBook later(actions_of({restart}));
    later.restore({*book.find("a")}, kMinute);
    CHECK(later.ask(order("restart"), "b", kMinute).value().state == RunState::queued);
  }
}

TEST_CASE("one that was only noted counts among its like") {
  ActionConfig restart = action("restart");
  restart.dry_run = true;
  restart.command = {"/bin/true", "--password", "hunter2"};  // of which people see the program
  RunBook book(actions_of({restart}));
  REQUIRE(book.ask(order("restart"), "a", kMinute));
  CHECK(state_of(book, "a") == "dry_run: would run command /bin/true");
  REQUIRE(book.ask(order("restart"), "b", 2 * kMinute));
  CHECK(state_of(book, "b").starts_with("skipped: cooldown"));
  CHECK(book.begin_due(2 * kMinute).empty());

  RunBook real(actions_of({action("restart")}));
  Order once = order("restart", "web-1", Trigger::manual);
  once.dry_run = true;
  REQUIRE(real.ask(once, "a", kMinute));
  REQUIRE(real.ask(order("restart"), "b", kMinute));
  CHECK(state_of(real, "a").starts_with("dry_run"));
  CHECK(state_of(real, "b") == "queued");
}

TEST_CASE("no more run at once than may") {
  ActionConfig restart = action("restart");
  restart.concurrency = 2;
  RunBook book(actions_of({restart, action("other")}));
  for (const char* id : {"a", "b", "c"}) REQUIRE(book.ask(order("restart", id), id, 1'000));
  REQUIRE(book.ask(order("other", "d"), "d", 1'000));
  CHECK(book.begin_due(1'000) == std::vector<std::string>{"a", "b", "d"});
  book.end("b", succeeded(), 2'000);
  CHECK(book.begin_due(2'000) == std::vector<std::string>{"c"});
}

TEST_CASE("somebody lets it run, keeps it from that, or nobody does anything") {
  ActionConfig restart = action("restart");
  restart.approval = true;
  restart.approve_within = std::chrono::minutes(5);
  RunBook book(actions_of({restart}));
  for (const char* id : {"aa", "ab", "b", "c"}) {
    CHECK(book.ask(order("restart", id), id, kMinute).value().state == RunState::needs_approval);
  }
  CHECK(book.begin_due(kMinute).empty());
  CHECK(book.decide("a", {true, "ada", ""}, kMinute).error().code == Errc::invalid_argument);
  CHECK(book.decide("x", {true, "ada", ""}, kMinute).error().code == Errc::not_found);
  REQUIRE(book.decide("aa", {true, "ada", "go"}, 2 * kMinute));
  CHECK(book.find("aa")->author == "ada");
  CHECK(book.begin_due(2 * kMinute) == std::vector<std::string>{"aa"});
  REQUIRE(book.decide("ab", {false, "ada", "not now"}, 2 * kMinute));
  CHECK(state_of(book, "ab") == "rejected");
  CHECK(book.decide("ab", {true, "ada", ""}, 2 * kMinute).error().code == Errc::conflict);
  book.end_waiting("f-b", Trigger::firing, 3 * kMinute);
  CHECK(state_of(book, "b") == "cancelled: the alert was over before");
  book.expire(6 * kMinute);
  CHECK(state_of(book, "c") == "expired: nobody approved within 5m");
  // By hand nobody else is asked.
  CHECK(book.ask(order("restart", "web-9", Trigger::manual), "m", 7 * kMinute).value().state ==
        RunState::queued);
}

TEST_CASE("an alert that is over cancels what it wanted while it fired, and nothing else") {
  RunBook book(actions_of({action("restart")}));
  REQUIRE(book.ask(order("restart", "web-1", Trigger::resolved), "r", 1'000));
  book.end_waiting("f-web-1", Trigger::firing, 2'000);
  CHECK(state_of(book, "r") == "queued");
  book.end_waiting("f-web-1", Trigger::resolved, 3'000);
  CHECK(state_of(book, "r") == "cancelled: the alert fires again");
}

TEST_CASE("a restart begins nothing twice, and an action that is gone begins nothing") {
  ActionConfig restart = action("restart");
  restart.cooldown = std::chrono::minutes(10);
  RunBook before(actions_of({restart}));
  REQUIRE(before.ask(order("restart", "web-1"), "a", kMinute));
  REQUIRE(before.ask(order("restart", "web-2"), "b", kMinute));
  CHECK(before.begin_due(kMinute) == std::vector<std::string>{"a"});
  RunBook after(actions_of({restart}));
  std::vector<Run> stored;
  for (const Run& run : before.select({})) {
    stored.push_back(*decode_run(encode(run)));
    stored.back().id = run.id;
  }
  after.restore(stored, 2 * kMinute);
  CHECK(after.select({}).back().id == "a");
  CHECK(after.changed() == std::set<std::string>{"a"});
  CHECK(state_of(after, "a") == "unknown: the aggregator stopped while it ran");
  CHECK(after.begin_due(2 * kMinute) == std::vector<std::string>{"b"});
  REQUIRE(after.ask(order("restart", "web-1"), "c", 3 * kMinute));
  CHECK(state_of(after, "c").starts_with("skipped: cooldown"));

  RunBook without(actions_of({}));
  without.restore({*before.find("b")}, 2 * kMinute);
  CHECK(state_of(without, "b") == "cancelled: the action is not configured any more");
}

TEST_CASE("what could not be stored waits again") {
  RunBook book(actions_of({action("restart")}));
  REQUIRE(book.ask(order("restart"), "a", 1'000));
  CHECK(book.begin_due(1'000).size() == 1);
  book.take_back("a");
  CHECK(state_of(book, "a") == "queued");
  CHECK(book.begin_due(2'000).size() == 1);
}

TEST_CASE("the effect is looked at once, so long after the end") {
  ActionConfig restart = action("restart");
  restart.effect_after = std::chrono::minutes(5);
  RunBook book(actions_of({restart}));
  Order with_effect = order("restart");
  with_effect.effect = "node_load1";
  REQUIRE(book.ask(with_effect, "a", kMinute));
  book.begin_due(kMinute);
  book.note_before("a", 9.5);
  book.end("a", succeeded(), 2 * kMinute);
  CHECK(book.measurable(6 * kMinute, 9).empty());
  CHECK(book.measurable(7 * kMinute, 0).empty());
  CHECK(book.measurable(7 * kMinute, 9) == std::vector<std::string>{"a"});
  book.note_after("a", 0.5);
  CHECK(book.measurable(8 * kMinute, 9).empty());
  Run measured = *book.find("a");
  CHECK(sentence_of(measured) == "succeeded; 9.5 before, 0.5 after");
  CHECK(entry_of(measured) == "00:01:00 UTC: succeeded; 9.5 before, 0.5 after");
  measured.author = "ada";
  CHECK(author_of(measured) == "; by ada");
  measured.comment = "before the rush";
  CHECK(entry_of(measured) == "00:01:00 UTC: succeeded; 9.5 before, 0.5 after; by ada: before the rush");
}

TEST_CASE("runs are forgotten when they are old, or too many") {
  ActionConfig restart = action("restart");
  restart.cooldown = {};
  restart.max_per_hour = 0;
  restart.concurrency = 100;
  RunBook book(actions_of({restart}));
  REQUIRE(book.ask(order("restart"), "open", 0));
  for (std::size_t i = 0; i < kMostRuns + 5; ++i) {
    const std::string id = "r" + std::to_string(i);
    REQUIRE(book.ask(order("restart"), id, 1'000));
    for (const std::string& begun : book.begin_due(1'000)) {
      if (begun != "open") book.end(begun, succeeded(), 1'000);
    }
  }
  CHECK(book.size() <= kMostRuns);
  CHECK(book.size() > kMostRuns * 8 / 10);
  CHECK(book.find("open") != nullptr);  // it is not over
  CHECK(book.take_forgotten().size() == kMostRuns / 10);
  book.expire(kKeepRunsMs + 2'000);
  CHECK(book.size() == 1);
}

TEST_CASE("a run that was just asked for is not forgotten, though all before it wait") {
  ActionConfig restart = action("restart");
  restart.approval = true;
  ActionConfig elsewhere = action("elsewhere");
  elsewhere.agent = "restart";
  RunBook book(actions_of({restart, elsewhere}));
  for (std::size_t i = 0; i < kMostRuns; ++i)
    REQUIRE(book.ask(order("restart", "web-" + std::to_string(i)), "r" + std::to_string(i), 1'000));
  REQUIRE(book.ask(order("elsewhere", ""), "new", 1'000));
  CHECK(state_of(book, "new") == "skipped: an agent runs it, and no host is named");
}

TEST_CASE("a storm of skipped runs frees no limit") {
  ActionConfig restart = action("restart");
  restart.max_per_hour = 2;
  restart.concurrency = 100;
  RunBook book(actions_of({restart}));
  std::size_t begun = 0;
  for (std::size_t i = 0; i < 3 * kMostRuns; ++i) {
    REQUIRE(book.ask(order("restart", "web-" + std::to_string(i)), "r" + std::to_string(i), kMinute));
    for (const std::string& id : book.begin_due(kMinute)) {
      book.end(id, succeeded(), kMinute);
      ++begun;
    }
  }
  CHECK(begun == 2);
  CHECK(book.figures().at("restart").begun == 2);
}

TEST_CASE("what waits for others counts as begun") {
  ActionConfig restart = action("restart");
  restart.cooldown = std::chrono::minutes(5);
  RunBook book(actions_of({restart}));
  REQUIRE(book.ask(order("restart", "web-1"), "a", kMinute));
  REQUIRE(book.ask(order("restart", "web-2"), "b", kMinute));
  CHECK(book.begin_due(kMinute) == std::vector<std::string>{"a"});
  REQUIRE(book.ask(order("restart", "web-2"), "c", 30 * kMinute));
  CHECK(state_of(book, "c") == "skipped: one for this host waits already");
  book.expire(61 * kMinute);
  CHECK(state_of(book, "b") == "cancelled: it waited for more than an hour");
}

TEST_CASE("what could not be stored is as if it had not been") {
  ActionConfig restart = action("restart");
  restart.approval = true;
  RunBook book(actions_of({restart}));
  REQUIRE(book.ask(order("restart", "web-1"), "a", kMinute));
  REQUIRE(book.decide("a", {false, "ada", "no"}, kMinute));
  book.undo_decision("a");
  CHECK(state_of(book, "a") == "needs_approval");
  CHECK(book.find("a")->author.empty());
  REQUIRE(book.decide("a", {true, "ada", ""}, kMinute));
  CHECK(book.begin_due(kMinute).size() == 1);
  REQUIRE(book.ask(order("restart", "web-2", Trigger::manual), "b", kMinute));
  book.undo_ask("b", kMinute);
  CHECK(state_of(book, "b") == "cancelled: it could not be stored");
}

TEST_CASE("an agent that answers late is believed") {
  RunBook book(actions_of({action("restart")}));
  REQUIRE(book.ask(order("restart"), "a", kMinute));
  book.begin_due(kMinute);
  Outcome silent;
  silent.reason = "the agent did not answer";
  REQUIRE(book.end("a", silent, 2 * kMinute) != nullptr);
  REQUIRE(book.end("a", succeeded(), 3 * kMinute) != nullptr);
  CHECK(state_of(book, "a") == "succeeded");
}
