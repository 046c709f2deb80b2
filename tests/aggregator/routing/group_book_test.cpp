#include "aggregator/routing/group_book.h"

#include "tests/aggregator/routing/configurations.h"

#include <random>

namespace vigil::routing {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;

/// One route to `a`, which groups by g: 30 s, 5 min, 1 h.
Configuration one_route() {
  return configuration(
      "route: {receiver: a, group_by: [g], group_wait: 30s, group_interval: 5m, repeat_interval: 1h}\n"
      "receivers: [{name: a}, {name: b}]\n");
}

std::string words(const GroupMessage& message) {
  return fmt::format("{}{} {} firing [{}]{} resolved [{}]", message.channel, message.labels.to_string(),
                     message.occasion == Occasion::repeated ? "again" : "changed",
                     fmt::join(message.firing, " "),
                     message.again.empty() ? "" : fmt::format(" again [{}]", fmt::join(message.again, " ")),
                     fmt::join(message.resolved, " "));
}

using Texts = std::vector<std::string>;

/// A book and what it says as time passes, in steps of a second.
struct Run {
  explicit Run(Configuration made, Channels to = {{"a", {{"x", true}}}, {"b", {{"y", true}}}})
      : c(std::move(made)), channels(std::move(to)), book(c.root, channels) {}

  void fire(const std::string& name, const Labels& labels) { book.fire(name, labels, now, now); }
  /// Messages until `until`, each with its second.
  Texts wait(std::int64_t until_s) {
    Texts out;
    for (; now <= until_s * kSecond; now += kSecond) {
      for (const GroupMessage& message : book.flush(now, holds))
        out.push_back(fmt::format("{}: {}", now / kSecond, words(message)));
    }
    return out;
  }

  Configuration c;
  Channels channels;
  GroupBook book;
  Holds holds;
  std::int64_t now = 0;
};

}  // namespace

TEST_CASE("a group waits for others, then says every interval what changed") {
  Run run(one_route());
  run.fire("1", {{"g", "x"}});
  CHECK(run.wait(20) == Texts{});
  run.fire("2", {{"g", "x"}});
  run.fire("3", {{"g", "y"}});
  CHECK(run.wait(100) == Texts{"30: x{g=\"x\"} changed firing [1 2] resolved []",
                               "51: x{g=\"y\"} changed firing [3] resolved []"});
  run.fire("4", {{"g", "x"}});
  run.book.resolve("1");
  CHECK(run.wait(1000) == Texts{"330: x{g=\"x\"} changed firing [2 4] resolved [1]"});
  run.book.resolve("2");
  run.book.resolve("4");
  CHECK(run.wait(1300) == Texts{"1230: x{g=\"x\"} changed firing [] resolved [2 4]"});
  CHECK(run.book.size() == 1);
  run.book.resolve("3");
  CHECK(run.wait(3000) == Texts{"1551: x{g=\"y\"} changed firing [] resolved [3]"});
  CHECK(run.book.size() == 0);
  CHECK_FALSE(run.book.wake_ms());
}

TEST_CASE("nothing is repeated when nothing changed, until the repeat interval is over") {
  Run run(one_route());
  run.fire("1", {});
  for (int i = 0; i < 10; ++i) run.fire("1", {});
  CHECK(run.wait(8000) == Texts{"30: x{} changed firing [1] resolved []",
                                "3630: x{} again firing [1] resolved []",
                                "7230: x{} again firing [1] resolved []"});
}

TEST_CASE("what there is to say of an alert that fires on is told once, at the group's next time") {
  Run run(one_route());
  run.fire("1", {});
  run.fire("2", {});
  run.book.tell_again("1");  // of what nobody was told of yet there is nothing to tell again
  CHECK(run.wait(400) == Texts{"30: x{} changed firing [1 2] resolved []"});
  run.book.tell_again("1");
  run.book.tell_again("nobody");
  CHECK(run.wait(2000) == Texts{"630: x{} changed firing [1 2] again [1] resolved []"});

  run.book.tell_again("2");
  run.holds.alert = [](const std::string& fingerprint) { return fingerprint == "2"; };
  CHECK(run.wait(2500) == Texts{});  // silenced: it waits
  run.holds.alert = {};
  CHECK(run.wait(2800) == Texts{"2730: x{} changed firing [1 2] again [2] resolved []"});
  run.book.tell_again("2");
  run.book.resolve("2");
  CHECK(run.wait(4000) == Texts{"3030: x{} changed firing [1] resolved [2]"});
}

TEST_CASE("an alert that is over before the first message is no message") {
  Run run(one_route());
  run.fire("1", {});
  run.wait(10);
  run.book.resolve("1");
  CHECK(run.wait(1000) == Texts{});
  CHECK(run.book.size() == 0);
}

TEST_CASE("an alert that flaps within the wait is told of once") {
  Run run(one_route());
  for (int second = 0; second < 30; second += 10) {
    run.fire("1", {});
    run.wait(second + 5);
    run.book.resolve("1");
    run.wait(second + 8);
  }
  run.fire("1", {});
  CHECK(run.wait(200) == Texts{"30: x{} changed firing [1] resolved []"});
}

TEST_CASE("an alert that fired long ago does not wait") {
  Run run(one_route());
  run.now = kMinute;
  run.book.fire("1", {}, 0, run.now);
  CHECK(run.wait(100) == Texts{"60: x{} changed firing [1] resolved []"});
}

TEST_CASE(
    "a channel that takes no resolved alerts is told of those that fire, and of those that fire again") {
  Run run(one_route(), {{"a", {{"x", true}, {"z", false}}}});
  run.fire("1", {});
  run.fire("2", {});
  CHECK(run.wait(100) ==
        Texts{"30: x{} changed firing [1 2] resolved []", "30: z{} changed firing [1 2] resolved []"});
  run.book.resolve("1");
  CHECK(run.wait(400) == Texts{"330: x{} changed firing [2] resolved [1]"});
  run.fire("1", {});
  CHECK(run.wait(700) ==
        Texts{"630: x{} changed firing [1 2] resolved []", "630: z{} changed firing [1 2] resolved []"});
}

TEST_CASE("what is silenced is not told, but who was told before is told that it is over") {
  Run run(one_route());
  run.fire("1", {});
  run.fire("2", {});
  std::set<std::string> held{"2"};
  run.holds.alert = [&](const std::string& fingerprint) { return held.contains(fingerprint); };
  CHECK(run.wait(100) == Texts{"30: x{} changed firing [1] resolved []"});
  held = {"1", "2"};
  CHECK(run.wait(3700) == Texts{});  // nothing to repeat
  held = {};
  CHECK(run.wait(4000) == Texts{"3930: x{} changed firing [1 2] resolved []"});
  held = {"1"};
  CHECK(run.wait(4300) == Texts{});
  held = {};
  CHECK(run.wait(4600) == Texts{});  // it is known
  held = {"1", "2"};
  run.book.resolve("1");
  run.book.resolve("2");
  CHECK(run.wait(5000) == Texts{"4830: x{} changed firing [] resolved [1 2]"});
}

TEST_CASE("a muted route says afterwards what it would have said") {
  Run run(one_route());
  bool muted = false;
  run.holds.route = [&](const Route&) { return muted; };
  run.fire("1", {});
  run.wait(60);
  muted = true;
  run.fire("2", {});
  run.fire("3", {});
  run.book.resolve("1");
  run.wait(700);
  run.book.resolve("3");
  CHECK(run.wait(2000) == Texts{});
  muted = false;
  CHECK(run.wait(2300) == Texts{"2130: x{} changed firing [2] resolved [1]"});
}

TEST_CASE("an alert whose labels change goes to another group, and its end to who was told") {
  Run run(one_route());
  run.fire("1", {{"g", "x"}});
  run.wait(60);
  run.fire("1", {{"g", "y"}});
  CHECK(run.wait(200) == Texts{"91: x{g=\"y\"} changed firing [1] resolved []"});
  run.book.resolve("1");
  CHECK(run.wait(700) == Texts{"330: x{g=\"x\"} changed firing [] resolved [1]",
                               "391: x{g=\"y\"} changed firing [] resolved [1]"});
  CHECK(run.book.size() == 0);
  run.fire("2", {{"g", "x"}});
  run.fire("2", {{"g", "y"}});  // nobody was told yet
  CHECK(run.wait(800) == Texts{"731: x{g=\"y\"} changed firing [2] resolved []"});
}

TEST_CASE("after a reload groups go on, and those of routes that are gone end") {
  Run run(one_route());
  run.fire("1", {{"g", "x"}});
  run.wait(60);
  const Configuration same = configuration(
      "route:\n  receiver: a\n  group_by: [g]\n  repeat_interval: 1h\n  routes: [{matchers: [g=z], receiver: "
      "b}]\n"
      "receivers: [{name: a}, {name: b}]\n");
  run.book.adopt(same.root, run.channels);
  run.fire("1", {{"g", "x"}});
  CHECK(run.wait(1000) == Texts{});
  const Configuration other = configuration(
      "route: {receiver: b, group_by: [g], repeat_interval: 1h}\nreceivers: [{name: a}, {name: b}]\n");
  run.book.adopt(other.root, run.channels);
  run.fire("1", {{"g", "x"}});
  CHECK(run.wait(1400) == Texts{"1031: y{g=\"x\"} changed firing [1] resolved []"});
  run.book.resolve("1");
  CHECK(run.wait(2000) == Texts{"1530: x{g=\"x\"} changed firing [] resolved [1]",
                                "1631: y{g=\"x\"} changed firing [] resolved [1]"});
  // The receiver is gone, too: nobody to tell.
  run.fire("2", {{"g", "x"}});
  run.wait(2100);
  run.book.adopt(same.root, {{"a", {{"x", true}}}});
  run.book.resolve("2");
  CHECK(run.wait(3000) == Texts{});
  CHECK(run.book.size() == 0);
}

TEST_CASE("missed ticks are skipped, not made up for") {
  Run run(one_route());
  run.fire("1", {});
  run.wait(31);
  run.now = 1000 * kSecond;
  run.fire("2", {});
  CHECK(run.wait(1250) == Texts{"1000: x{} changed firing [1 2] resolved []"});
  CHECK(run.book.wake_ms() == 1530 * kSecond);
}

TEST_CASE("groups are stored and read back") {
  GroupState group{"{} a",
                   "{}:{g=\"ü\"}",
                   "a",
                   {{"g", "ü\n\""}},
                   1234,
                   true,
                   {{"1", Membership::firing}, {"2", Membership::resolved}, {"3", Membership::moved}},
                   {{"x", {77, {"2", "3"}, {"3"}}}, {"y", {0, {}, {}}}}};
  const auto again = decode_group(encode(group));
  REQUIRE(again);
  CHECK(*again == group);
  for (const char* wrong :
       {"", "[]", "{}", "{\"route\":\"x\"}", R"({"route":"x","has_begun":true,"alerts":[],"told":{}})"})
    CHECK_FALSE(decode_group(wrong));
}

namespace {

/// Random alerts, silences and muted times; the state may be put away and taken back at every step.
class Scenario {
 public:
  Scenario(std::uint64_t seed, bool restarts)
      : random_(seed), restarts_(restarts), book_(c_.root, channels_) {}

  Texts play() {
    Texts said;
    for (int step = 0; step < 400; ++step) {
      now_ += 1000 * (1 + below(90));
      change();
      if (restarts_) restart();
      const bool muted = below(6) == 0;
      std::set<std::string> held;
      for (int i = 0; i < 8; ++i) {
        if (below(5) == 0) held.insert(std::to_string(i));
      }
      const Holds holds{[&](const std::string& fingerprint) { return held.contains(fingerprint); },
                        [&](const Route&) { return muted; }};
      for (const GroupMessage& message : book_.flush(now_, holds)) {
        check(message);
        said.push_back(fmt::format("{} {}", now_, words(message)));
      }
      store();
      if (restarts_) restart();
    }
    return said;
  }

  /// Everything ends: who was told of something is told that it is over.
  void end() {
    for (int i = 0; i < 8; ++i) book_.resolve(std::to_string(i));
    now_ += 10 * kMinute;
    for (const GroupMessage& message : book_.flush(now_, {})) check(message);
    REQUIRE(book_.size() == 0);
    for (const auto& [where, firing] : known_) REQUIRE(firing.empty());
  }

 private:
  int below(int most) { return std::uniform_int_distribution<int>(0, most - 1)(random_); }

  void change() {
    const int i = below(8);
    const std::string name = std::to_string(i);
    if (below(3) == 0) {
      book_.resolve(name);
      firing_.erase(name);
    } else {
      const Labels labels{{"g", std::to_string(below(20) == 0 ? 2 : i % 2)}, {"b", i < 4 ? "1" : "2"}};
      firing_[name] = labels;
      book_.fire(name, labels, now_, now_);
    }
    store();
  }

  void store() {
    for (const std::string& id : book_.take_changed()) {
      if (const GroupState* group = book_.find(id)) {
        disk_[id] = encode(*group);
      } else {
        disk_.erase(id);
      }
    }
  }

  void restart() {
    book_ = GroupBook(c_.root, channels_);
    for (const auto& [id, json] : disk_) book_.restore(*decode_group(json));
    for (const auto& [name, labels] : firing_) book_.fire(name, labels, now_, now_);
    REQUIRE(book_.size() == disk_.size());
  }

  /// No message says what its reader knows, unless it is due again; nobody hears of the end of what he was
  /// not told.
  void check(const GroupMessage& message) {
    auto& known = known_[message.group + message.channel];
    bool is_new = !message.resolved.empty();
    for (const std::string& fingerprint : message.resolved) REQUIRE(known.erase(fingerprint) == 1);
    for (const std::string& fingerprint : message.firing) {
      REQUIRE(firing_.contains(fingerprint));
      is_new = known.insert(fingerprint).second || is_new;
    }
    REQUIRE(is_new == (message.occasion == Occasion::changed));
  }

  std::mt19937_64 random_;
  bool restarts_;
  Configuration c_ = configuration(
      "route:\n  receiver: a\n  group_by: [g]\n  repeat_interval: 20m\n  routes:\n"
      "    - {matchers: [b=1], receiver: b, continue: true, group_wait: 0s, group_interval: 1m}\n"
      "    - {matchers: [b=~\".*\"], group_by: ['...']}\n"
      "receivers: [{name: a}, {name: b}]\n");
  Channels channels_ = {{"a", {{"x", true}}}, {"b", {{"y", true}}}};
  GroupBook book_;
  std::int64_t now_ = 0;
  std::map<std::string, Labels> firing_;
  std::map<std::string, std::string> disk_;
  std::map<std::string, std::set<std::string>> known_;
};

}  // namespace

TEST_CASE("a restart at every step changes no message, and everybody hears the end of what he was told") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed);
    Scenario without(seed, false);
    Scenario with(seed, true);
    const Texts said = without.play();
    REQUIRE(said.size() > 10);
    REQUIRE(with.play() == said);
    without.end();
    with.end();
  }
}

TEST_CASE("a channel for critical alerts is told of those, and of their end") {
  Channel pager{"x", true};
  pager.critical_only = true;
  Run run(one_route(), {{"a", {pager, {"y", true}}}});
  run.fire("1", {{"severity", "warning"}});
  CHECK(run.wait(100) == Texts{"30: y{} changed firing [1] resolved []"});
  run.fire("2", {{"severity", "critical"}});
  CHECK(run.wait(400) ==
        Texts{"330: x{} changed firing [2] resolved []", "330: y{} changed firing [1 2] resolved []"});
  run.book.resolve("1");
  CHECK(run.wait(700) == Texts{"630: y{} changed firing [2] resolved [1]"});
  run.book.resolve("2");
  CHECK(run.wait(1000) ==
        Texts{"930: x{} changed firing [] resolved [2]", "930: y{} changed firing [] resolved [2]"});
  CHECK(run.book.size() == 0);
}

TEST_CASE("what is critical is known again after a restart") {
  Channel pager{"x", true};
  pager.critical_only = true;
  Run before(one_route(), {{"a", {pager}}});
  before.fire("1", {{"severity", "critical"}});
  before.fire("2", {{"severity", "warning"}});
  Run after(one_route(), {{"a", {pager}}});
  before.book.for_each([&](const GroupState& group) { after.book.restore(group); });
  after.fire("1", {{"severity", "critical"}});
  after.fire("2", {{"severity", "warning"}});
  CHECK(after.wait(100) == Texts{"30: x{} changed firing [1] resolved []"});
}

TEST_CASE("a channel that forgets what it does not hear of is reminded, whoever looks after it") {
  Channel other{"x", true};
  other.remind = std::chrono::minutes(10);
  Run run(one_route(), {{"a", {other, {"y", true}}}});
  run.holds.repeats = [](const std::string&) { return false; };
  run.fire("1", {});
  CHECK(run.wait(1300) ==
        Texts{"30: x{} changed firing [1] resolved []", "30: y{} changed firing [1] resolved []",
              "630: x{} again firing [1] resolved []", "1230: x{} again firing [1] resolved []"});
  run.book.resolve("1");
  CHECK(run.wait(3000) ==
        Texts{"1530: x{} changed firing [] resolved [1]", "1530: y{} changed firing [] resolved [1]"});
}

}  // namespace vigil::routing
