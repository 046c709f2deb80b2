// meta.db when the power goes, when calls of the disk fail, and when bytes on it change: what was committed
// is there, what is read was written, and damage is told.
#include "aggregator/alerts/meta_store.h"
#include "tests/aggregator/alerts/rules_of.h"
#include "tests/aggregator/store/power_cut.h"
#include "tests/aggregator/store/simulated_vfs.h"
#include "tests/support/catch.h"

#include <cerrno>
#include <random>
#include <set>

using namespace vigil;
using namespace vigil::alerts;
using namespace vigil::aggregator::testing;
using test::rules_of;

namespace {

constexpr int kActs = 60;

rules::RulePtr rule() {
  static const rules::RuleSetPtr rules =
      rules_of("groups: [{name: g, rules: [{alert: Full, expr: used > 90}]}]");
  return rules->rules()[0];
}

Result<MetaStore> open_on(const SimulatedDisk& disk) {
  return MetaStore::open((disk.folder() / "meta.db").string(), simulated_vfs());
}

/// All that a start reads, as one text.
Result<std::string> text_of(MetaStore& store) {
  auto alerts = store.alerts();
  if (!alerts) return alerts.error();
  std::set<std::string> lines;
  for (const StoredAlert& stored : *alerts)
    lines.insert(fmt::format("{} {} {}\n", stored.alert.fingerprint, stored.alert.value,
                             stored.alert.labels.to_string()));
  std::string text;
  for (const std::string& line : lines) text += line;
  auto queued = store.queued();
  if (!queued) return queued.error();
  for (const notify::Row& row : *queued)
    text += fmt::format("{} {} {}\n", row.id, row.receiver, row.attempts);
  auto silences = store.silences();
  if (!silences) return silences.error();
  for (const std::string& body : *silences) text += body + '\n';
  auto threads = store.threads();
  if (!threads) return threads.error();
  for (const notify::ThreadChange& thread : *threads) text += thread.fingerprint + thread.now->message + '\n';
  CHECK(store.damaged() == 0);
  return text;
}

/// The i-th change: alerts that fire and end, messages that wait, go and die, silences, and now and then a
/// checkpoint.
Result<void> act(MetaStore& store, int i) {
  if (i % 7 == 6) return store.checkpoint();
  if (i % 13 == 12) return store.remove_silences({fmt::format("silence-{}", (i + 1) % 3)});
  if (i % 7 == 3)
    return store.put_silences({{fmt::format("silence-{}", i % 3), fmt::format("body {}", i)},
                               {fmt::format("silence-{}", (i + 1) % 3), std::string(5000, 's')}});
  if (i % 5 == 4) {
    notify::Delivery delivery{
        {i / 2}, i % 2 == 0 ? notify::Outcome::delivered : notify::Outcome::postponed, i, 5000, "busy"};
    delivery.thread = notify::ThreadChange{"ops", fmt::format("thread-{}", i % 4), {}};
    if (i % 3 > 0) delivery.thread->now = notify::MessageThread{"C", fmt::format("{}", i), {"a"}};
    return store.record(delivery, i);
  }
  if (i % 11 == 10) return store.prune(i);
  Alert alert;
  alert.rule = rule();
  alert.series = std::make_shared<const Labels>();
  alert.labels = Labels{{"long", std::string(static_cast<std::size_t>(i) * 40, 'x')}};
  alert.fingerprint = fmt::format("alert-{}", i % 9);
  alert.state = State::firing;
  alert.value = i;
  std::vector<notify::Row> outbox(1);
  outbox[0].receiver = fmt::format("receiver-{}", i % 3);
  outbox[0].note.key = outbox[0].note.alert = "Full";
  Changes changes;
  if (i % 4 == 3)
    changes.removed = {fmt::format("alert-{}", (i + 3) % 9)};
  else
    changes.put = {&alert};
  if (i % 6 == 5) changes.history = {&alert};
  changes.outbox = &outbox;
  return store.commit(changes);
}

/// What is there after the first n acts, n = 0, 1, ...
const std::vector<std::string>& texts() {
  static const std::vector<std::string> all = [] {
    const SimulatedDisk disk;
    auto store = open_on(disk);
    REQUIRE(store);
    std::vector<std::string> made{text_of(*store).value()};
    for (int i = 0; i < kActs; ++i) {
      REQUIRE(act(*store, i));
      made.push_back(text_of(*store).value());
    }
    return made;
  }();
  return all;
}

/// After the power came back: what `done` acts left, or one more, which was under way.
void check_after(const DiskImage& image, std::size_t done) {
  const SimulatedDisk disk(image);
  auto store = open_on(disk);
  REQUIRE(store);
  const auto text = text_of(*store);
  REQUIRE(text);
  const bool right = *text == texts()[done] || (done + 1 < texts().size() && *text == texts()[done + 1]);
  REQUIRE(right);
}

DiskImage image_after(int acts) {
  const SimulatedDisk disk;
  auto store = open_on(disk);
  REQUIRE(store);
  for (int i = 0; i < acts; ++i) REQUIRE(act(*store, i));
  REQUIRE(store->checkpoint());
  return after_power_cut(disk.state(), Damage::kept, 0);
}

}  // namespace

TEST_CASE("A power cut at any write or sync of meta.db leaves what was committed") {
  struct Moment {
    DiskState state;
    std::size_t done = 0;
  };
  std::vector<Moment> moments;
  std::size_t done = 0;
  SimulatedDisk disk;
  {
    auto store = open_on(disk);
    REQUIRE(store);
    disk.observe([&](const DiskState& state) { moments.push_back({state, done}); });
    for (int i = 0; i < kActs; ++i) {
      REQUIRE(act(*store, i));
      ++done;
    }
    disk.observe({});
  }
  CHECK(moments.size() > 200);
  for (std::size_t i = 0; i < moments.size(); ++i) {
    const Damage damage = kDamages[i % kDamages.size()];
    INFO("moment " << i << ", " << to_string(damage));
    check_after(after_power_cut(moments[i].state, damage, i), moments[i].done);
  }
}

TEST_CASE("A call of the disk that fails loses nothing that meta.db had committed") {
  const DiskCall call =
      GENERATE(DiskCall::open, DiskCall::write, DiskCall::sync, DiskCall::truncate, DiskCall::remove);
  const int error = GENERATE(EIO, ENOSPC, EMFILE);
  const Lasting lasting = GENERATE(Lasting::once, Lasting::for_ever);
  constexpr int kMost = 400;
  constexpr int kStep = 5;  // failures at each call take too long
  for (int at = 1; at < kMost; at += at < 20 ? 1 : kStep) {
    INFO("call " << static_cast<int>(call) << " error " << error << " at " << at);
    SimulatedDisk disk;
    std::size_t done = 0;
    {
      auto store = open_on(disk);
      REQUIRE(store);
      disk.set_fault({call, error, at, lasting});
      for (int i = 0; i < kActs; ++i) {
        if (!act(*store, i)) break;
        ++done;
      }
    }
    const bool happened = disk.fault_happened();
    disk.clear_fault();
    check_after(after_power_cut(disk.state(), Damage::lost, 0), done);
    if (!happened) break;
  }
}

TEST_CASE("Damage of meta.db is told, and nothing that is read is wrong") {
  const DiskImage image = image_after(kActs);
  const std::string& whole = image.at("meta.db");
  REQUIRE(whole.size() > 20'000);
  std::mt19937_64 random(11);
  int refused = 0;
  constexpr int kTimes = 600;
  for (int i = 0; i < kTimes; ++i) {
    INFO("time " << i);
    std::string content = whole;
    const std::size_t at = random() % content.size();
    if (i % 3 == 0) content[at] = static_cast<char>(content[at] ^ (1 << random() % 8));
    if (i % 3 == 1) content.replace(at / kSectorBytes * kSectorBytes, kSectorBytes, kSectorBytes, '\0');
    if (i % 3 == 2) content.resize(at);
    DiskImage damaged = image;
    damaged["meta.db"] = content;
    const SimulatedDisk disk(damaged);
    auto store = open_on(disk);
    auto text = store ? text_of(*store) : Result<std::string>(store.error());
    if (text) {
      REQUIRE((*text == texts().back() || content.empty()));
      continue;
    }
    ++refused;
    INFO(text.error().message);
    REQUIRE(text.error().code == Errc::corrupt);
  }
  CHECK(refused > kTimes / 2);  // the others hit what is never read
}
