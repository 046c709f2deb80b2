#include "aggregator/door/roster.h"

#include "tests/support/catch.h"

#include <vector>

using namespace vigil::aggregator::door;

namespace {

Limits small() {
  return {.most = 4, .most_of_source = 2, .new_of_source = 1000, .new_of_all = 10'000};
}

struct Door {
  explicit Door(const Limits& limits = small()) : roster(limits) {}

  /// Its id; 0 when it was refused, and `refusal` says why.
  Roster::Id enter(const std::string& source, std::int64_t now_ms = 0) {
    const std::size_t number = dropped.size();
    dropped.push_back(false);
    const auto entered = roster.enter(source, now_ms, [this, number] { dropped[number] = true; });
    if (const auto* why = std::get_if<Refusal>(&entered)) {
      refusal = *why;
      return 0;
    }
    return std::get<Roster::Id>(entered);
  }
  Roster::Id enter_and_wait(const std::string& source, std::int64_t now_ms = 0) {
    const auto id = enter(source, now_ms);
    roster.waits(id, now_ms);
    return id;
  }

  Roster roster;
  std::vector<bool> dropped;  // by the order of coming
  Refusal refusal{};
};

}  // namespace

TEST_CASE("one source has its limit, and others come in beside it") {
  Door door;
  const auto first = door.enter("a");
  CHECK(door.enter("a") != 0);
  CHECK(door.enter("a") == 0);
  CHECK(door.refusal == Refusal::source);
  CHECK(door.enter("b") != 0);
  door.roster.leave(first);
  CHECK(door.enter("a") != 0);
  CHECK(door.roster.size() == 3);
}

TEST_CASE("a source that has its limit displaces who of it has waited for a second, longest first") {
  Door door;
  door.enter_and_wait("a", 0);
  door.enter_and_wait("a", 500);
  CHECK(door.enter("a", 999) == 0);
  CHECK(door.refusal == Refusal::source);
  CHECK(door.enter("a", 1000) != 0);
  CHECK(door.dropped == std::vector<bool>{true, false, false, false});
  CHECK(door.roster.size() == 2);
  CHECK(door.enter("a", 1499) == 0);
  CHECK(door.enter("a", 1500) != 0);
  CHECK(door.dropped[1]);
}

TEST_CASE("who is worked for is not displaced, and may be again when he waits") {
  Door door;
  const auto first = door.enter_and_wait("a", 0);
  const auto second = door.enter_and_wait("a", 0);
  door.roster.works(first);
  door.roster.works(second);
  CHECK(door.enter("a", 60'000) == 0);
  door.roster.waits(second, 60'000);
  CHECK(door.enter("a", 61'000) != 0);
  CHECK(door.dropped == std::vector<bool>{false, true, false, false});
}

TEST_CASE("where a port is full, the source with most makes room at once for one with less") {
  Door door({.most = 4, .most_of_source = 3, .new_of_source = 1000, .new_of_all = 10'000});
  door.enter_and_wait("victim", 0);
  for (int i = 0; i < 3; ++i) door.enter_and_wait("greedy", 10 + i);
  CHECK(door.enter_and_wait("healthz", 20) != 0);
  CHECK(door.dropped == std::vector<bool>{false, true, false, false, false});
  CHECK(door.roster.size() == 4);
}

TEST_CASE("where a port is full of sources with one each, who has waited for a second makes room") {
  Door door;
  for (const char* source : {"a", "b", "c", "d"}) door.enter_and_wait(source, 0);
  CHECK(door.enter("e", 999) == 0);
  CHECK(door.refusal == Refusal::full);
  CHECK(door.enter("e", 1000) != 0);
  CHECK(door.dropped[0]);
}

TEST_CASE("a port that is full of work refuses") {
  Door door;
  for (const char* source : {"a", "b", "c", "d"}) door.enter(source, 0);
  CHECK(door.enter("e", 60'000) == 0);
  CHECK(door.refusal == Refusal::full);
}

TEST_CASE("a source begins so many connections a second, and others are not held up by it") {
  Door door({.most = 1000, .most_of_source = 1000, .new_of_source = 2, .new_of_all = 1000});
  const auto come_and_go = [&](const std::string& source, std::int64_t now_ms) {
    const auto id = door.enter(source, now_ms);
    door.roster.leave(id);
    return id != 0;
  };
  for (int i = 0; i < 2 * static_cast<int>(kSourceBurst); ++i) CHECK(come_and_go("a", 0));
  CHECK_FALSE(come_and_go("a", 0));
  CHECK(door.refusal == Refusal::rate);
  CHECK(come_and_go("b", 0));
  CHECK_FALSE(come_and_go("a", 499));
  CHECK(come_and_go("a", 500));
}

TEST_CASE("all sources together begin so many connections a second") {
  Door door({.most = 1000, .most_of_source = 1000, .new_of_source = 10, .new_of_all = 2});
  for (int i = 0; i < 2 * static_cast<int>(kBurst); ++i)
    CHECK(door.enter("source " + std::to_string(i), 0) != 0);
  CHECK(door.enter("one more", 0) == 0);
  CHECK(door.refusal == Refusal::rate);
  CHECK(door.enter("one more", 999) == 0);
  CHECK(door.enter("one more", 1000) != 0);
}

TEST_CASE("a crowd that comes all the time keeps nobody out who comes now and then") {
  Door door({.most = 1'000'000, .most_of_source = 1'000'000, .new_of_source = 50, .new_of_all = 500});
  int failed = 0;
  for (std::int64_t ms = 0; ms < 120'000; ++ms) {
    // 200 sources that come 20 times a second each.
    for (int i = 0; i < 4; ++i) door.enter("crowd " + std::to_string((ms * 4 + i) % 200), ms);
    if (ms % 5000 == 4999 && door.enter("monitor", ms) == 0) ++failed;
  }
  CHECK(failed == 0);
  CHECK(door.roster.size() < 500 * (120 + static_cast<std::size_t>(kBurst)));
}

TEST_CASE("what is kept for those who come now and then has a limit, too") {
  Door door({.most = 1'000'000, .most_of_source = 1000, .new_of_source = 10, .new_of_all = 100});
  for (int i = 0; i < 100'000; ++i) door.enter("source " + std::to_string(i), i / 10);  // 10 s, each once
  CHECK(door.roster.size() <= 100 * (10 + static_cast<std::size_t>(kBurst)));
}

TEST_CASE("leaving twice, or after making room, takes nobody's place away") {
  Door door;
  const auto first = door.enter_and_wait("a", 0);
  CHECK(door.enter_and_wait("a", 0) != 0);
  CHECK(door.enter_and_wait("a", 2000) != 0);
  CHECK(door.dropped[0]);
  door.roster.leave(first);
  door.roster.works(first);
  door.roster.waits(first, 0);
  CHECK(door.roster.size() == 2);
  CHECK(door.enter("a", 2000) != 0);  // the second one had waited
  CHECK(door.enter("a", 2000) == 0);
}
