#include "aggregator/notify/lane.h"

#include "aggregator/notify/retry.h"
#include "tests/aggregator/notify/notes.h"
#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::notify;
using test::note_of;
using test::row_of;

namespace {

std::string ids(const std::vector<std::int64_t>& list) {
  return fmt::format("{}", fmt::join(list, " "));
}

std::string next_ids(Lane& lane, std::int64_t now_ms) {
  const auto shipment = lane.next(now_ms);
  if (!shipment) return "-";
  std::vector<std::int64_t> list;
  for (const Row& row : shipment->rows) list.push_back(row.id);
  return ids(list);
}

constexpr LaneOptions kPlain{86'400'000, 0};

Row group_row(std::int64_t id, std::vector<Notification> alerts, std::int64_t created_ms = 0) {
  Row row = row_of(id, alerts.front(), created_ms);
  row.note.fingerprint = "group";
  row.note.key = std::to_string(id);
  row.group = Group{"group", "ops", {}, std::move(alerts), 0};
  return row;
}

}  // namespace

TEST_CASE("Back-off doubles up to ten minutes, with full jitter and at least a second") {
  CHECK(backoff_ms(1, 1.0) == 1'000);
  CHECK(backoff_ms(2, 1.0) == 2'000);
  CHECK(backoff_ms(5, 0.5) == 8'000);
  CHECK(backoff_ms(10, 1.0) == 512'000);
  CHECK(backoff_ms(11, 1.0) == 600'000);
  CHECK(backoff_ms(1'000'000, 1.0) == 600'000);
  CHECK(backoff_ms(5, 0.0) == 1'000);
}

TEST_CASE("A lane sends in order and forgets what is delivered") {
  Lane lane(kPlain);
  CHECK(next_ids(lane, 0) == "-");
  CHECK_FALSE(lane.wake_ms(0));
  lane.enqueue(row_of(1, note_of("a")));
  lane.enqueue(row_of(2, note_of("b")));
  const auto first = lane.next(0);
  REQUIRE(first);
  CHECK(ids(lane.delivered(*first, 0).ids) == "1");
  CHECK(next_ids(lane, 0) == "2");
}

TEST_CASE("Of two messages with one key each is sent, and noted by its own id") {
  Lane lane(kPlain);
  lane.enqueue(row_of(1, note_of("a")));
  lane.enqueue(row_of(2, note_of("a")));
  const auto first = lane.next(0);
  REQUIRE(first);
  const auto failed = lane.failed(*first, {FailureKind::refused, "HTTP 400"}, 0, 0.5);
  REQUIRE(failed.size() == 1);
  CHECK(ids(failed[0].ids) == "1");
  const auto again = lane.next(100'000);
  REQUIRE(again);
  CHECK(ids(lane.delivered(*again, 100'000).ids) == "1");
  CHECK(lane.size() == 1);
  CHECK(next_ids(lane, 100'000) == "2");
}

TEST_CASE("A receiver that is away makes its lane wait, longer each time, or as long as it asks") {
  Lane lane(kPlain);
  lane.enqueue(row_of(1, note_of("a")));
  lane.enqueue(row_of(2, note_of("b")));
  const Failure away{FailureKind::away, "HTTP 503", 0};
  auto told = lane.failed(*lane.next(0), away, 0, 1.0);
  REQUIRE(told.size() == 1);
  CHECK(told[0].outcome == Outcome::postponed);
  CHECK(ids(told[0].ids) == "1");
  CHECK(told[0].next_attempt_ms == 1'000);
  CHECK(told[0].error == "HTTP 503");
  CHECK(next_ids(lane, 999) == "-");
  CHECK(lane.wake_ms(0) == 1'000);
  told = lane.failed(*lane.next(1'000), away, 1'000, 1.0);
  CHECK(told[0].attempts == 2);
  CHECK(told[0].next_attempt_ms == 3'000);
  told = lane.failed(*lane.next(3'000), {FailureKind::away, "HTTP 429", 60'000}, 3'000, 1.0);
  CHECK(told[0].next_attempt_ms == 63'000);
  CHECK(next_ids(lane, 62'999) == "-");
  static_cast<void>(lane.delivered(*lane.next(63'000), 63'000));
  CHECK(next_ids(lane, 63'000) == "2");
  // After a success the waits begin anew.
  CHECK(lane.failed(*lane.next(63'000), away, 63'000, 1.0)[0].next_attempt_ms == 64'000);
}

TEST_CASE("A refused message makes its own alert wait, not the others, and keeps their order") {
  Lane lane(kPlain);
  lane.enqueue(row_of(1, note_of("a")));
  lane.enqueue(row_of(2, note_of("a", Kind::resolved)));
  lane.enqueue(row_of(3, note_of("b")));
  static_cast<void>(lane.failed(*lane.next(0), {FailureKind::refused, "HTTP 400", 0}, 0, 1.0));
  const auto other = lane.next(0);
  REQUIRE(other);
  CHECK(other->rows[0].id == 3);
  static_cast<void>(lane.delivered(*other, 0));
  CHECK(next_ids(lane, 500) == "-");
  const auto again = lane.next(1'000);
  REQUIRE(again);
  lane.failed(*again, {FailureKind::refused, "HTTP 400", 0}, 1'000, 1.0);
  CHECK(next_ids(lane, 1'001) == "-");  // and nothing is tried without end
  CHECK(next_ids(lane, 10'000) == "1");
}

TEST_CASE("After a day of failures messages are dead, the young ones are not") {
  Lane lane(kPlain);
  lane.enqueue(row_of(1, note_of("a"), 0));
  lane.enqueue(row_of(2, note_of("b"), 0));
  lane.enqueue(row_of(3, note_of("c"), 50'000'000));
  const auto told = lane.failed(*lane.next(86'400'000), {FailureKind::away, "timeout", 0}, 86'400'000, 1.0);
  REQUIRE(told.size() == 1);
  CHECK(told[0].outcome == Outcome::dead);
  CHECK(ids(told[0].ids) == "1 2");
  CHECK(lane.size() == 1);
}

TEST_CASE("More than twenty messages of one rule go out as one digest") {
  Lane lane(kPlain);
  for (int i = 0; i < 37; ++i) lane.enqueue(row_of(i + 1, note_of(fmt::format("host-{}", i))));
  Notification other = note_of("z");
  other.rule_key = "other";
  lane.enqueue(row_of(99, other));
  const auto digest = lane.next(0);
  REQUIRE(digest);
  CHECK(digest->rows.size() == 37);
  CHECK(digest->key().ends_with("-37-digest"));
  CHECK(lane.delivered(*digest, 0).ids.size() == 37);
  CHECK(next_ids(lane, 0) == "99");
}

TEST_CASE("Twenty go out one by one, as they come") {
  Lane lane(kPlain);
  for (int i = 0; i < 20; ++i) lane.enqueue(row_of(i + 1, note_of(fmt::format("host-{}", i))));
  for (int i = 0; i < 20; ++i) {
    const auto shipment = lane.next(0);
    REQUIRE(shipment);
    CHECK(shipment->rows.size() == 1);
    static_cast<void>(lane.delivered(*shipment, 0));
  }
  CHECK(lane.size() == 0);
}

TEST_CASE("A rule that sent twenty within a minute collects for ten seconds, then sends one digest") {
  Lane lane(kPlain);
  for (int i = 0; i < 20; ++i) {
    lane.enqueue(row_of(i + 1, note_of(fmt::format("host-{}", i)), 1'000 * i));
    static_cast<void>(lane.delivered(*lane.next(1'000 * i), 1'000 * i));
  }
  lane.enqueue(row_of(50, note_of("late-1"), 20'000));
  lane.enqueue(row_of(51, note_of("late-2"), 25'000));
  Notification other = note_of("other");
  other.rule_key = "other";
  lane.enqueue(row_of(60, other, 25'000));
  CHECK(next_ids(lane, 25'000) == "60");  // other rules do not wait
  static_cast<void>(lane.delivered(*lane.next(25'000), 25'000));
  CHECK(next_ids(lane, 29'999) == "-");
  CHECK(lane.wake_ms(29'999) == 30'099);
  CHECK(next_ids(lane, 30'000) == "50 51");
}

TEST_CASE("A digest never carries a message past an earlier one of the same alert") {
  Lane lane(kPlain);
  for (int i = 0; i < 30; ++i) lane.enqueue(row_of(i + 1, note_of(fmt::format("host-{}", i))));
  for (int i = 0; i < 30; ++i)
    lane.enqueue(row_of(i + 101, note_of(fmt::format("host-{}", i), Kind::resolved)));
  const auto firing = lane.next(0);
  REQUIRE(firing);
  CHECK(firing->rows.front().note.kind == Kind::firing);
  CHECK(firing->rows.size() == 30);
  static_cast<void>(lane.delivered(*firing, 0));
  const auto resolved = lane.next(0);
  REQUIRE(resolved);
  CHECK(resolved->rows.front().note.kind == Kind::resolved);
  CHECK(resolved->rows.size() == 30);
}

TEST_CASE("What has a thread goes there by itself, and counts for no digest") {
  Lane lane(kPlain);
  const MessageThread thread{"C1", "1.2", {"k"}};
  for (int i = 0; i < 25; ++i) {
    const Notification note = note_of(fmt::format("host-{}", i), Kind::resolved);
    lane.remember({"ops", note.fingerprint, thread});
    lane.enqueue(row_of(i + 1, note));
  }
  lane.enqueue(row_of(26, note_of("other", Kind::resolved)));
  for (int i = 0; i < 25; ++i) {
    const auto shipment = lane.next(0);
    REQUIRE(shipment);
    CHECK(shipment->rows.size() == 1);
    CHECK(shipment->thread == thread);
    lane.remember({"ops", shipment->rows[0].note.fingerprint, {}});
    static_cast<void>(lane.delivered(*shipment, 0));
  }
  const auto other = lane.next(0);
  REQUIRE(other);
  CHECK(other->rows[0].id == 26);
  CHECK_FALSE(other->thread);
  CHECK(lane.threads().empty());
}

TEST_CASE(
    "A row with a thread keeps its place behind an earlier one of its alert, and none waits for a digest") {
  Lane lane(kPlain);
  lane.remember({"ops", note_of("host-0").fingerprint, MessageThread{"C1", "1.2", {}}});
  for (int i = 0; i < 25; ++i) lane.enqueue(row_of(i + 1, note_of(fmt::format("host-{}", i))));
  lane.enqueue(row_of(99, note_of("host-0", Kind::resolved)));
  const auto first = lane.next(0);
  REQUIRE(first);
  CHECK(first->rows.size() == 1);
  CHECK(first->rows[0].id == 1);
  lane.failed(*first, {FailureKind::refused, "no", 0}, 0, 1.0);
  const auto digest = lane.next(0);
  REQUIRE(digest);
  CHECK(digest->rows.size() == 24);
  CHECK_FALSE(digest->thread);
  static_cast<void>(lane.delivered(*digest, 0));
  CHECK(next_ids(lane, 0) == "-");
  CHECK(next_ids(lane, 1'000) == "1");
}

TEST_CASE("A group's messages have its thread") {
  Lane lane(kPlain);
  Row row = row_of(1, note_of("web"));
  row.group = Group{"web", "ops", {}, {note_of("a")}};
  lane.remember({"ops", row.note.fingerprint, MessageThread{"C1", "1.2", {}}});
  lane.enqueue(row);
  REQUIRE(lane.next(0)->thread);
  CHECK(lane.next(0)->thread->channel == "C1");
}

TEST_CASE("A lane with a burst sends that many at once, then one a second") {
  Lane lane({86'400'000, 2});
  for (int i = 0; i < 4; ++i) lane.enqueue(row_of(i + 1, note_of(fmt::format("host-{}", i))));
  const auto send = [&](std::int64_t now_ms) {
    const auto shipment = lane.next(now_ms);
    if (shipment) static_cast<void>(lane.delivered(*shipment, now_ms));
    return shipment.has_value();
  };
  CHECK(send(10'000));
  CHECK(send(10'000));
  CHECK_FALSE(send(10'000));
  CHECK_FALSE(send(10'900));
  CHECK(send(11'000));
  CHECK_FALSE(send(11'500));
  CHECK(send(12'000));
}

TEST_CASE("A lane may have less than one a second") {
  Lane lane({86'400'000, 1, 4'000});
  for (int i = 0; i < 2; ++i) lane.enqueue(row_of(i + 1, note_of(fmt::format("host-{}", i))));
  static_cast<void>(lane.delivered(*lane.next(10'000), 10'000));
  CHECK_FALSE(lane.next(13'900));
  CHECK(lane.next(14'000));
}

TEST_CASE("where not all groups can be told at once, the worst is told first") {
  const auto row = [](std::int64_t id, const std::string& group, const std::string& severity,
                      Kind kind = Kind::firing) {
    Row made = row_of(id, note_of(group));
    auto alert = note_of("a", kind);
    alert.severity = severity;
    made.group = Group{group, "ops", {}, {alert}};
    return made;
  };
  const std::vector<Row> rows = {row(1, "over", "critical", Kind::resolved), row(2, "mild", "warning"),
                                 row(3, "bad", "critical"), row(4, "worse", "critical")};
  const auto order = [&rows](int burst) {
    Lane lane({86'400'000, burst});
    for (const Row& each : rows) lane.enqueue(each);
    std::string out;
    for (std::int64_t now = 10'000; lane.size() > 0 && now < 20'000; now += 1'000)
      out += ids(lane.delivered(*lane.next(now), now).ids) + ' ';
    return out;
  };
  CHECK(order(1) == "3 4 2 1 ");
  CHECK(order(0) == "1 2 3 4 ");
}

TEST_CASE("of a group all that waits goes out together, and what was refused holds up nothing newer") {
  Lane lane(kPlain);
  const auto row = [](std::int64_t id, const std::string& group) {
    Row made = row_of(id, note_of(group));
    made.note.key += std::to_string(id);
    made.group = Group{group, "ops", {}, {note_of("a"), note_of("b", Kind::resolved)}};
    return made;
  };
  lane.enqueue(row(1, "web"));
  lane.enqueue(row(2, "db"));
  auto first = lane.next(0);
  REQUIRE(first);
  CHECK(first->rows.size() == 1);
  CHECK(first->key() == row(1, "web").note.key);
  lane.failed(*first, {FailureKind::refused, "HTTP 400", 0}, 0, 1.0);
  CHECK(next_ids(lane, 1) == "2");
  lane.enqueue(row(3, "web"));
  const auto both = lane.next(1);
  REQUIRE(both);
  REQUIRE(both->rows.size() == 2);
  CHECK(both->key() != first->key());
  CHECK(both->rows[0].group->alerts ==
        std::vector{note_of("b", Kind::resolved)});  // the newest says what fires
  CHECK(both->rows[1].group->alerts.size() == 2);
  lane.failed(*both, {FailureKind::refused, "HTTP 400", 0}, 1, 1.0);
  CHECK(next_ids(lane, 2) == "2");
  CHECK(next_ids(lane, 1'001) == "1 3");
  CHECK(ids(lane.delivered(*both, 1'001).ids) == "1 3");
  CHECK(lane.size() == 1);
}

TEST_CASE("one that is sent again stands before newer ones about the same, whoever left the queue before") {
  Lane lane(kPlain);
  const auto add = [&lane](std::int64_t id, const std::string& about) {
    Row row = row_of(id, note_of(about));
    row.note.key += std::to_string(id);
    lane.enqueue(std::move(row));
  };
  add(1, "a");
  add(2, "a");
  CHECK(ids(lane.delivered(*lane.next(0), 0).ids) == "1");
  lane.failed(*lane.next(0), {FailureKind::refused, "HTTP 400", 0}, kPlain.give_up_after_ms + 1, 1.0);
  REQUIRE(lane.size() == 0);
  add(7, "a");
  add(8, "b");
  add(5, "a");
  std::string order;
  for (const Row& row : lane.take_all()) order += fmt::format("{} ", row.id);
  CHECK(order == "5 7 8 ");
  add(9, "a");
  CHECK(lane.take_all().size() == 1);
}

TEST_CASE("a clock that goes back makes nothing wait for the time it had") {
  constexpr std::int64_t kAhead = 3LL * 86'400'000;
  Lane lane(kPlain);
  lane.enqueue(row_of(1, note_of("a"), kAhead));
  const auto first = lane.next(kAhead);
  REQUIRE(first);
  lane.failed(*first, {FailureKind::away, "refused", 0}, kAhead, 1.0);
  CHECK(next_ids(lane, kAhead + 1) == "-");
  CHECK(next_ids(lane, 1'000) == "1");
}

TEST_CASE("a row of a group survives the outbox") {
  Row row = row_of(1, note_of("web"));
  row.group = Group{"{}:{}", "ops", {{"team", "web"}}, {note_of("a"), note_of("b", Kind::resolved)}, 7};
  Row read;
  REQUIRE(decode_body(encode_body(row), read));
  CHECK(read.note == row.note);
  CHECK(read.group == row.group);
  Row plain;
  REQUIRE(decode_body(encode_body(row_of(1, note_of("a"))), plain));
  CHECK_FALSE(plain.group);
  const std::string note = R"({"key":"k","alert":"a","of_group":)";
  for (const char* wrong : {"7}", "{}}", R"({"alerts":[]}})", R"({"alerts":[7]}})", R"({"alerts":[{}]}})"}) {
    CAPTURE(wrong);
    CHECK_FALSE(decode_body(note + wrong, plain));
  }
}

TEST_CASE(
    "what is sent again comes before newer messages about the same, and says nothing that they know better") {
  Lane lane(kPlain);
  lane.enqueue(row_of(9, note_of("other")));
  lane.enqueue(group_row(7, {note_of("a")}));
  lane.enqueue(group_row(3, {note_of("b"), note_of("c", Kind::resolved)}));  // again
  REQUIRE(next_ids(lane, 0) == "9");
  lane.delivered(*lane.next(0), 0);
  const auto shipment = lane.next(0);
  REQUIRE(shipment);
  REQUIRE(shipment->rows.size() == 2);
  CHECK(shipment->rows[0].id == 3);
  CHECK(shipment->rows[0].group->alerts == std::vector{note_of("c", Kind::resolved)});
  CHECK(shipment->rows[1].group->alerts == std::vector{note_of("a")});

  Lane single(kPlain);
  single.enqueue(row_of(8, note_of("a", Kind::resolved)));
  single.enqueue(row_of(2, note_of("a")));  // again
  CHECK(next_ids(single, 0) == "2");
  Lane unstored(kPlain);  // has no id, and is the newest
  unstored.enqueue(row_of(0, note_of("a", Kind::resolved)));
  unstored.enqueue(row_of(5, note_of("a")));
  CHECK(next_ids(unstored, 0) == "5");
}

TEST_CASE("a group's newer message is not given up before an older one that is sent again") {
  constexpr std::int64_t kPatience = 12'000;
  const Failure refused{FailureKind::refused, "HTTP 403", 0};
  Lane lane({kPatience, 0});
  lane.enqueue(group_row(2, {note_of("a"), note_of("b")}, 0));
  lane.enqueue(group_row(1, {note_of("a")}, 11'000));  // given up before, and tried as long as a new one
  const auto first = lane.next(11'000);
  REQUIRE(first);
  REQUIRE(first->rows.size() == 2);
  CHECK(first->rows[0].group->alerts.empty());
  CHECK_FALSE(first->is_empty());
  const auto told = lane.failed(*first, refused, kPatience, 1.0);
  REQUIRE(told.size() == 1);
  CHECK(told[0].outcome == Outcome::postponed);
  CHECK(ids(told[0].ids) == "1 2");
  const auto second = lane.next(13'000);
  REQUIRE(second);
  CHECK(second->rows.back().group->alerts == std::vector{note_of("a"), note_of("b")});
  const auto end = lane.failed(*second, refused, 11'000 + kPatience, 1.0);
  REQUIRE(end.size() == 1);
  CHECK(end[0].outcome == Outcome::dead);
  CHECK(ids(end[0].ids) == "1 2");
  CHECK(lane.size() == 0);
}

TEST_CASE("what is sent again while a newer message is on the wire keeps its alerts") {
  Lane lane(kPlain);
  lane.enqueue(group_row(2, {note_of("a"), note_of("b")}));
  const auto newer = lane.next(0);
  REQUIRE(newer);
  lane.enqueue(group_row(1, {note_of("a")}));  // again
  lane.delivered(*newer, 0);
  const auto older = lane.next(0);
  REQUIRE(older);
  REQUIRE(older->rows.size() == 1);
  CHECK(older->rows[0].group->alerts == std::vector{note_of("a")});
  lane.enqueue(group_row(3, {note_of("c")}));
  lane.delivered(*older, 0);
  CHECK(next_ids(lane, 0) == "3");
}

TEST_CASE("a group without alerts is given up, not sent") {
  Lane lane(kPlain);
  Row row = group_row(1, {note_of("a")});
  row.group->alerts.clear();
  lane.enqueue(row);
  const auto shipment = lane.next(0);
  REQUIRE(shipment);
  CHECK(shipment->is_empty());
  const Delivery told = lane.give_up(*shipment, "why");
  CHECK(told.outcome == Outcome::dead);
  CHECK(ids(told.ids) == "1");
  CHECK(told.error == "why");
  CHECK(lane.size() == 0);
  CHECK_FALSE(Shipment{{row, group_row(2, {note_of("a")})}}.is_empty());
  CHECK_FALSE(Shipment{{row_of(3, note_of("a"))}}.is_empty());
}
