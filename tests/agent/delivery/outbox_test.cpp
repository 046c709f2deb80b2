#include "agent/delivery/outbox.h"

#include "tests/agent/delivery/model.h"
#include "tests/agent/spool/fake_disk.h"
#include "tests/support/catch.h"

#include <random>
#include <set>

namespace vigil::agent {
namespace {

using std::chrono::seconds;
using test::Host;
using test::Receiver;

const SpoolOptions kOptions{"folder", std::uint64_t{1} << 30};

/// An agent without threads: host, builder and outbox, on a disk or none. It may be killed: then a new life
/// begins on what the disk has.
class Life {
 public:
  Life(Host& host, const std::shared_ptr<testing::FakeDisk>& disk, std::size_t memory, int& next_id)
      : Life(host, disk ? SpoolFolder(kOptions, disk, Spool::find_leftovers(*disk)) : SpoolFolder({}), memory,
             next_id) {}
  Life(Host& host, SpoolFolder folder, std::size_t memory, int& next_id)
      : host_(host),
        outbox_({identity(next_id), {memory, 0}, [&next_id] { return id_of(next_id++); }},
                std::move(folder)) {}

  void sample() {
    if (std::exchange(begins_, false)) builder_.begin_stream();
    host_.tick(builder_);
    builder_.flush();
    outbox_.keep_caps(delivering);
    outbox_.tend(now());
  }
  /// As the host's clock has it.
  Session::Time now() const { return Session::Time(std::chrono::milliseconds(host_.time_ms())); }
  void begin_stream_if_behind() {
    if (!outbox_.behind()) return;
    outbox_.begin_stream();
    begins_ = true;
  }
  void tell_builder() { begins_ = true; }
  Outbox& outbox() { return outbox_; }
  const OutboxStream* delivering = nullptr;

  static std::string id_of(int number) {
    std::string id = fmt::format("{:016}", number);
    return id;
  }

 private:
  static Identity identity(int& next_id) {
    Identity me;
    me.name = "web-1";
    me.machine_id = std::string(16, 'm');
    me.stream_id = id_of(next_id++);
    return me;
  }

  Host& host_;
  Outbox outbox_;
  BatchBuilder builder_{[this](EncodedBatch batch) { outbox_.push(std::move(batch), now()); }};
  bool begins_ = false;
};

/// One message of a session to a receiver, and the answers back; false when there is none to send.
bool step(Session& session, Receiver& receiver, Session::Time now) {
  const std::string* message = session.next(now, 1'700'000'000'000);
  if (message == nullptr) return false;
  const auto answers = receiver.take(*message);
  CAPTURE(answers);
  REQUIRE(answers);
  for (const auto& answer : *answers) REQUIRE_FALSE(session.received(answer, now));
  return true;
}

/// A connection to an aggregator: the live stream, and back-fill as the delivery drives it, message by
/// message, until `messages` went over it.
void converse(Life& life, test::Streams& streams, int messages) {
  const Session::Time now{seconds(1000)};
  life.begin_stream_if_behind();
  OutboxStream& live = life.outbox().live();
  Session session(live.buffer, live.identity, now);
  Receiver receiver(streams[live.identity.stream_id]);
  while (messages-- > 0) {
    life.outbox().declare(session);
    if (step(session, receiver, now)) continue;
    if (!session.caught_up() || life.outbox().ended() == nullptr) break;
    OutboxStream& ended = *life.outbox().ended();
    Session late(ended.buffer, ended.identity, now);
    late.back_fill();
    life.delivering = &ended;
    Receiver late_receiver(streams[ended.identity.stream_id]);
    while (!late.left() && messages-- > 0 && step(late, late_receiver, now)) {
      if (messages % 7 == 0) life.sample();  // life goes on, and goes first
      while (messages-- > 0 && step(session, receiver, now)) {
      }
    }
    life.delivering = nullptr;
    if (!late.left()) break;
    life.outbox().delivered();
  }
  life.outbox().session_ended();
}

/// Every second that was sampled arrived once, or lies within a declared gap.
void check_model(const test::Streams& streams, std::int64_t first, std::int64_t last,
                 const std::set<std::int64_t>& lost_with_the_agent = {}) {
  const auto times = test::all_times(streams);
  REQUIRE(std::adjacent_find(times.begin(), times.end()) == times.end());
  const auto gaps = test::all_gaps(streams);
  for (std::int64_t t = first; t <= last; t += 1000) {
    if (std::binary_search(times.begin(), times.end(), t) || lost_with_the_agent.contains(t)) continue;
    const bool declared = std::any_of(gaps.begin(), gaps.end(), [t](const v1::Gap& gap) {
      return gap.first_time_ms() <= t && t <= gap.last_time_ms();
    });
    CAPTURE(t - first);
    REQUIRE(declared);
  }
}

}  // namespace

TEST_CASE("a short backlog goes on in its stream, a longer one is over and goes behind") {
  Host host;
  int ids = 0;
  Life life(host, nullptr, 1 << 20, ids);
  for (int i = 0; i < 9; ++i) life.sample();
  CHECK_FALSE(life.outbox().behind());
  life.sample();
  life.sample();
  REQUIRE(life.outbox().behind());
  const std::string before = life.outbox().live().identity.stream_id;
  life.begin_stream_if_behind();
  CHECK(life.outbox().live().identity.follows == before);
  CHECK(life.outbox().live().identity.stream_id != before);
  CHECK(life.outbox().ended() == nullptr);  // not complete before the new one begins
  CHECK_FALSE(life.outbox().behind());
  life.sample();
  CHECK(life.outbox().ended()->identity.stream_id == before);
  CHECK(life.outbox().live().buffer.find(1)->keyframe);
}

TEST_CASE("batches on their way while a stream begins still belong to the one before") {
  Host host;
  int ids = 0;
  Life life(
      host,
      GENERATE(as<std::shared_ptr<testing::FakeDisk>>(), nullptr, std::make_shared<testing::FakeDisk>()),
      1 << 20, ids);
  for (int i = 0; i < 20; ++i) life.sample();
  const std::uint64_t next = life.outbox().live().buffer.next_seq();
  life.outbox().begin_stream();
  for (int i = 0; i < 3; ++i) life.sample();  // by a builder that was not told yet
  CHECK(life.outbox().live().buffer.next_seq() == 1);
  CHECK_FALSE(life.outbox().behind());
  life.tell_builder();
  life.sample();
  CHECK(life.outbox().live().buffer.next_seq() == 3);  // two sources, a batch for each schema
  CHECK(life.outbox().ended()->buffer.next_seq() >= next + 3);
}

TEST_CASE("at a stop nobody waits for a stream that will not begin") {
  Host host;
  int ids = 0;
  Life life(host, nullptr, 1 << 20, ids);
  for (int i = 0; i < 20; ++i) life.sample();
  life.outbox().begin_stream();
  CHECK(life.outbox().ended() == nullptr);
  life.outbox().no_more_batches();
  CHECK(life.outbox().ended() != nullptr);
  CHECK(life.outbox().holds_ended_in_memory());
}

TEST_CASE("whatever happens, each sample arrives once or is declared lost, and live ones never wait") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const bool spooled = seed % 2 == 0;
    const auto disk = spooled ? std::make_shared<testing::FakeDisk>() : nullptr;
    const std::size_t memory = seed % 3 == 0 ? 30'000 : 1 << 20;
    Host host;
    const std::int64_t first = host.time_ms() + 1000;
    int ids = 0;
    test::Streams streams;
    std::set<std::int64_t> last_words;
    auto life = std::make_unique<Life>(host, disk, memory, ids);
    for (int round = 0; round < 12; ++round) {
      const std::uint64_t outage = random() % 3 == 0 ? random() % 300 : random() % 8;
      for (std::uint64_t i = 0; i < outage; ++i) {
        if (random() % 40 == 0) host.add_column();
        life->sample();
      }
      if (spooled && random() % 4 == 0) {  // kill -9: what was sampled within the last second is gone
        last_words.insert(host.time_ms());
        life.reset();
        life = std::make_unique<Life>(host, disk, memory, ids);
        continue;
      }
      converse(*life, streams, random() % 3 == 0 ? 100'000 : static_cast<int>(random() % 60));
    }
    while (life->outbox().ended() != nullptr || !life->outbox().all_durable())
      converse(*life, streams, 100'000);
    life->sample();
    converse(*life, streams, 100'000);  // with which what is owed is known
    check_model(streams, first, host.time_ms(), last_words);
  }
}

TEST_CASE("nothing is written while the aggregator answers within a second") {
  const auto disk = std::make_shared<testing::FakeDisk>();
  Host host;
  int ids = 0;
  Life life(host, disk, 1 << 20, ids);
  test::Streams streams;
  for (int i = 0; i < 200; ++i) {
    life.sample();
    converse(life, streams, 1000);
    CHECK(disk->list()->empty());
  }
  life.sample();
  life.sample();
  CHECK_FALSE(disk->list()->empty());  // one batch has waited for a second
  converse(life, streams, 1000);
  CHECK(disk->list()->empty());
}

TEST_CASE("a stream that is dropped whole leaves a gap, declared until it is known") {
  Host host;
  int ids = 0;
  Life life(host, nullptr, 40'000, ids);
  test::Streams streams;
  for (int i = 0; i < 30; ++i) life.sample();
  const std::int64_t lost_from = host.time_ms() - 29'000;
  const std::int64_t lost_until = host.time_ms();
  life.begin_stream_if_behind();
  life.sample();
  REQUIRE(life.outbox().ended() != nullptr);
  for (int i = 0; i < 400 && life.outbox().ended() != nullptr; ++i) life.sample();
  REQUIRE(life.outbox().ended() == nullptr);
  const auto owed = [&] {
    OutboxStream& live = life.outbox().live();
    Session session(live.buffer, live.identity, Session::Time{});
    session.next({}, 0);
    REQUIRE_FALSE(session.received(test::welcome(live.buffer.durable_seq()), {}));
    life.outbox().declare(session);
    life.outbox().declare(session);  // once
    std::vector<v1::Gap> gaps;
    v1::AgentMessage message;
    while (const std::string* next = session.next({}, 0)) {
      REQUIRE(message.ParseFromString(*next));
      if (message.has_gap() && message.gap().first_seq() == 0) gaps.push_back(message.gap());
    }
    life.outbox().session_ended();
    return gaps;
  };
  for (int round = 0; round < 2; ++round) {  // a session that broke is no reason to forget
    const auto gaps = owed();
    REQUIRE(gaps.size() == 1);
    CHECK(gaps[0].batches() >= 29);
    CHECK(gaps[0].first_time_ms() == lost_from);
    CHECK(gaps[0].last_time_ms() == lost_until);
    CHECK(gaps[0].reason() == "buffer_full");
  }
  life.sample();
  converse(life, streams, 100'000);
  life.sample();
  converse(life, streams, 100'000);
  CHECK(owed().empty());
}

TEST_CASE("past the cap of the disk the oldest stream goes first, and what goes whole is declared") {
  const auto disk = std::make_shared<testing::FakeDisk>();
  disk->total = 20 * (4 << 20);  // of which a twentieth may be used
  Host host(200);
  int ids = 0;
  Life life(host, disk, 1 << 20, ids);
  std::uint64_t most = 0;
  for (int outage = 0; outage < 6; ++outage) {
    for (int i = 0; i < 1500; ++i) {
      life.sample();
      most = std::max(most, life.outbox().spooled_bytes());
    }
    life.begin_stream_if_behind();
  }
  CHECK(most < (4 << 20) + (1 << 20));
  test::Streams streams;
  for (int i = 0; i < 3; ++i) {
    life.sample();
    converse(life, streams, 1'000'000);
  }
  CHECK(life.outbox().ended() == nullptr);
  const auto gaps = test::all_gaps(streams);
  REQUIRE_FALSE(gaps.empty());
  for (const v1::Gap& gap : gaps) CHECK(gap.reason() == "spool_full");
  check_model(streams, 1'700'000'001'000, host.time_ms());
}

TEST_CASE(
    "what damage of the disk took from an earlier life is declared with its time, once, wherever it was") {
  const auto disk = std::make_shared<testing::FakeDisk>();
  const std::size_t segments = GENERATE(1, 3);
  Host host(segments == 1 ? 1 : 200);
  const std::int64_t first = host.time_ms() + 1000;
  int ids = 0;
  {
    Life life(host, disk, 64 << 20, ids);
    for (int i = 0; i < 60 || disk->list()->size() < segments; ++i) life.sample();
  }
  const std::int64_t last_word = host.time_ms();
  const auto names = *disk->list();
  REQUIRE(names.size() == segments);
  std::string& bytes = disk->content(names[segments / 2]);
  bytes[bytes.size() / 2] = static_cast<char>(~bytes[bytes.size() / 2]);
  Life life(host, disk, 64 << 20, ids);
  life.sample();
  test::Streams streams;
  converse(life, streams, 1'000'000);
  const auto gaps = test::all_gaps(streams);
  REQUIRE(gaps.size() == 1);
  CHECK(gaps[0].reason() == "damaged");
  CHECK(gaps[0].batches() + gaps[0].last_seq() - gaps[0].first_seq() > 10);
  check_model(streams, first, host.time_ms(), {last_word});
}

TEST_CASE("a segment of which only its damage is left stays until that was told, over any number of lives") {
  const auto disk = std::make_shared<testing::FakeDisk>();
  Host host;
  int ids = 0;
  const std::int64_t first = host.time_ms() + 1000;
  std::set<std::int64_t> last_words;
  {
    Life life(host, disk, 1 << 20, ids);
    for (int i = 0; i < 60; ++i) life.sample();
    last_words.insert(host.time_ms());
  }
  const std::string damaged = disk->list()->at(0);
  disk->content(damaged)[10] ^= 1;
  {
    Life life(host, disk, 1 << 20, ids);
    life.sample();
    last_words.insert(host.time_ms());
  }
  Life life(host, disk, 1 << 20, ids);
  test::Streams streams;
  const auto is_there = [&] { return disk->list()->at(0) == damaged; };  // its stream's number is the least
  life.sample();
  CHECK(is_there());
  for (int i = 0; i < 3; ++i) {
    life.sample();
    converse(life, streams, 100'000);
  }
  CHECK((disk->list()->empty() || !is_there()));
  const auto gaps = test::all_gaps(streams);
  REQUIRE(gaps.size() == 1);
  CHECK(gaps[0].reason() == "damaged");
  check_model(streams, first, host.time_ms(), last_words);
}

TEST_CASE("what an earlier life left is over, oldest first, and goes behind what is sampled now") {
  const auto disk = std::make_shared<testing::FakeDisk>();
  Host host;
  int ids = 0;
  std::set<std::int64_t> last_words;
  for (int lives = 0; lives < 3; ++lives) {
    Life life(host, disk, 1 << 20, ids);
    for (int i = 0; i < 5; ++i) life.sample();
    last_words.insert(host.time_ms());
  }
  Life life(host, disk, 1 << 20, ids);
  life.sample();
  CHECK_FALSE(life.outbox().behind());
  CHECK(life.outbox().ended()->identity.stream_id == Life::id_of(0));
  test::Streams streams;
  converse(life, streams, 100'000);
  CHECK(test::all_times(streams).size() >= 13);
  check_model(streams, 1'700'000'001'000, host.time_ms(), last_words);
  CHECK(test::all_gaps(streams).empty());
  CHECK(disk->list()->size() <= 1);
}

TEST_CASE("a disk that hangs costs only the disk: memory does, and later all is on disk again") {
  const auto gate = std::make_shared<testing::Gate>();
  const auto disk = std::make_shared<testing::FakeDisk>();
  const auto background = testing::in_background(disk, gate);
  Host host;
  const std::int64_t first = host.time_ms() + 1000;
  int ids = 0;
  test::Streams streams;
  {
    Life life(host, SpoolFolder(kOptions, background, Spool::find_leftovers(*disk)), 1 << 20, ids);
    for (int i = 0; i < 20; ++i) {
      life.sample();
      testing::await_done(*background);
    }
    testing::await_done(*background);
    CHECK(disk->used() > 0);
    gate->close();
    for (int i = 0; i < 5; ++i) life.sample();
    gate->await_one_inside();
    const std::uint64_t asked = background->issued();
    for (int i = 0; i < 500; ++i) life.sample();
    CHECK(background->issued() == asked);  // nothing more is told to it
    CHECK(background->trouble()->code == Errc::timeout);
    converse(life, streams, 5);  // the live stream goes on, and needs no disk
    CHECK_FALSE(life.outbox().behind());
    CHECK(life.outbox().dropped_batches() == 0);
    gate->open();
    testing::await_done(*background);
    for (int i = 0; i < 12; ++i) {
      life.sample();
      testing::await_done(*background);
    }
    CHECK_FALSE(background->trouble());
  }
  const std::int64_t died = host.time_ms();
  Life next(host, disk, 1 << 20, ids);
  for (int i = 0; i < 3; ++i) {
    next.sample();
    converse(next, streams, 1'000'000);
  }
  const auto times = test::all_times(streams);
  for (std::int64_t t = first; t < died - 3000; t += 1000) {
    CAPTURE((t - first) / 1000);
    REQUIRE(std::binary_search(times.begin(), times.end(), t));
  }
}

TEST_CASE("what a disk in the background has is read later, and delivered all the same") {
  const auto disk = std::make_shared<testing::FakeDisk>();
  Host host(100);
  int ids = 0;
  {
    Life life(host, disk, 1 << 20, ids);
    for (int i = 0; i < 3000; ++i) life.sample();
  }
  REQUIRE(disk->list()->size() >= 2);
  const auto gate = std::make_shared<testing::Gate>();
  auto found = Spool::find_leftovers(*disk);
  const auto background = testing::in_background(disk, gate);
  Life life(host, SpoolFolder(kOptions, background, std::move(found)), 1 << 20, ids);
  test::Streams streams;
  gate->close();
  life.sample();
  converse(life, streams, 1'000'000);
  CHECK(test::all_times(streams).size() == 1);  // what is live needs no disk
  gate->open();
  for (int i = 0; i < 5000 && test::all_times(streams).size() < 3000; ++i) {
    testing::await_done(*background);
    converse(life, streams, 1'000'000);
  }
  CHECK(test::all_times(streams).size() >= 2999);
  CHECK(test::all_gaps(streams).empty());
}

}  // namespace vigil::agent
