#include "agent/spool/spool.h"

#include "agent/delivery/buffer.h"
#include "tests/agent/spool/fake_disk.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

namespace vigil::agent::testing {
namespace {

constexpr std::uint64_t kKeyframeEvery = 10;
const SpoolStream kStream{"0123456789abcdef", "boot-1"};

/// What batch `seq` of a stream looks like, and nothing else does.
EncodedBatch batch(std::uint64_t seq, std::size_t bytes = 200) {
  EncodedBatch out;
  out.seq = seq;
  out.keyframe = (seq - 1) % kKeyframeEvery == 0;
  out.first_time_ms = static_cast<std::int64_t>(seq) * 1000;
  out.last_time_ms = out.first_time_ms + 999;
  out.message = fmt::format("batch {} ", seq);
  out.message.resize(std::max(bytes, out.message.size()), static_cast<char>('a' + seq % 26));
  if (seq % 25 == 1) out.schemas.push_back({1, fmt::format("schema of {}", seq)});
  return out;
}

/// The text of the schema in force before `seq`.
std::string schema_before(std::uint64_t seq) {
  return seq <= 1 ? "" : fmt::format("schema of {}", (seq - 2) / 25 * 25 + 1);
}

std::string only_text(const std::vector<const EncodedSchema*>& schemas) {
  if (schemas.empty()) return "";
  CHECK(schemas.size() == 1);
  return schemas.front()->message;
}

Buffer make_buffer(const std::shared_ptr<FakeDisk>& disk, std::size_t memory = 1 << 20) {
  return Buffer({memory, 0}, std::make_unique<Spool>(disk, kStream));
}

/// A batch that has waited: it is on disk, too, if the disk takes it.
void keep(Buffer& buffer, EncodedBatch batch) {
  buffer.set_spool_error({});
  buffer.push(std::move(batch));
  buffer.spool_to(buffer.next_seq() - 1);
}

/// Everything a buffer can still send after `durable`, as a session would ask for it.
std::set<std::uint64_t> sendable(Buffer& buffer, std::uint64_t durable) {
  std::set<std::uint64_t> out;
  std::uint64_t seq = buffer.resume_seq(durable);
  while (seq < buffer.next_seq()) {
    const EncodedBatch* found = buffer.find(seq);
    if (found == nullptr) {
      const std::uint64_t next = buffer.next_kept_seq(seq);
      REQUIRE(next > seq);
      seq = next;
      continue;
    }
    REQUIRE(found->seq == seq);
    REQUIRE(found->message == batch(seq, found->message.size()).message);
    if (found->keyframe) REQUIRE(only_text(buffer.schemas_before(seq)) == schema_before(seq));
    out.insert(seq++);
  }
  return out;
}

std::set<std::uint64_t> all(std::uint64_t first, std::uint64_t last) {
  std::set<std::uint64_t> out;
  for (std::uint64_t seq = first; seq <= last; ++seq) out.insert(seq);
  return out;
}

bool sends_exactly(Buffer& buffer, std::uint64_t durable, const std::set<std::uint64_t>& wanted) {
  return sendable(buffer, durable) == wanted;
}

/// The next life of the agent: what it finds of the one before.
Buffer leftover(const std::shared_ptr<FakeDisk>& disk) {
  auto found = Spool::leftovers(disk);
  REQUIRE(found);
  auto& spools = found->spools;
  if (spools.empty()) return Buffer(BufferOptions{});
  REQUIRE(spools.size() == 1);
  CHECK(spools.front()->stream().stream_id == kStream.stream_id);
  CHECK(spools.front()->stream().boot_id == kStream.boot_id);
  return Buffer(BufferOptions{}, std::move(spools.front()));
}

}  // namespace

TEST_CASE("a segment is read back as it was written, and every prefix and flipped bit gives a prefix of it") {
  std::string bytes = encode_header(kStream, {});
  for (std::uint64_t seq = 1; seq <= 12; ++seq) bytes += encode_record(batch(seq, 40));
  const auto whole = decode_segment(bytes);
  REQUIRE(whole);
  CHECK(whole->batches.size() == 12);
  CHECK(whole->good_bytes == bytes.size());
  const auto check_prefix = [&](const std::optional<SegmentContent>& content) {
    if (!content) return;
    REQUIRE(content->stream.stream_id == kStream.stream_id);
    for (std::size_t i = 0; i < content->batches.size(); ++i)
      REQUIRE(content->batches[i].message == batch(i + 1, 40).message);
  };
  for (std::size_t size = 0; size < bytes.size(); ++size) check_prefix(decode_segment(bytes.substr(0, size)));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    check_prefix(decode_segment(damaged));
  }
}

TEST_CASE("what waits outlives the agent: every batch, from its keyframe on") {
  const auto disk = std::make_shared<FakeDisk>();
  {
    Buffer buffer = make_buffer(disk);
    for (std::uint64_t seq = 1; seq <= 137; ++seq) {
      keep(buffer, batch(seq));
      if (seq <= 94) buffer.acknowledge(seq);
    }
  }
  Buffer left = leftover(disk);
  CHECK(left.next_seq() == 138);
  CHECK(sends_exactly(left, 94, all(91, 137)));
  left.acknowledge(137);
  left.spool()->clear();
  CHECK(disk->used() == 0);
}

TEST_CASE("while everything is acknowledged nothing stays on disk") {
  const auto disk = std::make_shared<FakeDisk>();
  Buffer buffer = make_buffer(disk);
  std::size_t most = 0;
  for (std::uint64_t seq = 1; seq <= 5000; ++seq) {
    keep(buffer, batch(seq));
    buffer.acknowledge(seq);
    most = std::max(most, disk->used());
  }
  CHECK(most < 2 * kKeyframeEvery * 300);
  CHECK(disk->list()->empty());
}

TEST_CASE("past its memory a buffer sends from disk, and past its disk it drops the oldest and says so") {
  const auto disk = std::make_shared<FakeDisk>();
  Buffer buffer = make_buffer(disk, 50'000);
  for (std::uint64_t seq = 1; seq <= 20'000; ++seq) keep(buffer, batch(seq));
  CHECK(buffer.bytes() <= 50'000);
  CHECK(buffer.dropped_batches() == 0);
  CHECK(sends_exactly(buffer, 0, all(1, 20'000)));
  REQUIRE(buffer.drop_spooled("spool_full"));
  const std::uint64_t first = buffer.first_kept_seq();
  CHECK(first > 1000);
  CHECK((first - 1) % kKeyframeEvery == 0);
  const auto lost = buffer.lost_between(0, first);
  REQUIRE(lost.size() == 1);
  CHECK(lost.front().last_seq == first - 1);
  CHECK(lost.front().first_time_ms == 1000);
  CHECK(lost.front().reason == "spool_full");
  CHECK(buffer.dropped_batches() == first - 1);
  CHECK(sends_exactly(buffer, 0, all(first, 20'000)));
}

TEST_CASE(
    "a full disk: memory keeps the newest, the oldest on disk make room, and later all is on disk again") {
  const auto disk = std::make_shared<FakeDisk>();
  disk->capacity = 3 << 20;
  Buffer buffer = make_buffer(disk, 100'000);
  for (std::uint64_t seq = 1; seq <= 30'000; ++seq) keep(buffer, batch(seq));
  CHECK(disk->used() <= disk->capacity);
  const auto kept = sendable(buffer, 0);
  CHECK((kept == all(*kept.begin(), 30'000)));
  CHECK(buffer.dropped_batches() == *kept.begin() - 1);
  disk->capacity = 30 << 20;
  keep(buffer, batch(30'001));
  CHECK_FALSE(buffer.spool_error());
  Buffer left = leftover(disk);
  CHECK(sends_exactly(left, 0, all(*kept.begin(), 30'001)));
}

TEST_CASE("each call that fails, once or for ever, loses nothing that memory has") {
  const int error_number = GENERATE(EIO, ENOSPC, EMFILE);
  const bool opening = GENERATE(false, true);
  for (int at = 1; at <= 60; ++at) {
    for (const int count : {1, 1'000'000}) {
      CAPTURE(at, count, error_number, opening);
      const auto disk = std::make_shared<FakeDisk>();
      Buffer buffer = make_buffer(disk);
      disk->fail(at, count, {error_number, opening});
      for (std::uint64_t seq = 1; seq <= 55; ++seq) {
        keep(buffer, batch(seq));
        if (seq <= 30) buffer.acknowledge(seq);
        if (seq % 7 == 0) static_cast<void>(buffer.spool()->sync());
      }
      CHECK(sends_exactly(buffer, 30, all(31, 55)));
      if (count > 1) continue;
      CHECK_FALSE(buffer.spool_error());
      Buffer left = leftover(disk);
      CHECK(sends_exactly(left, 30, all(31, 55)));
    }
  }
}

TEST_CASE("a segment that cannot be opened for want of descriptors is read later; one that fails is lost") {
  const auto disk = std::make_shared<FakeDisk>();
  Buffer buffer = make_buffer(disk, 0);
  for (std::uint64_t seq = 1; seq <= 50; ++seq) keep(buffer, batch(seq));
  disk->read_error = EMFILE;
  CHECK_FALSE(buffer.ready(1));
  disk->read_error = 0;
  CHECK(sends_exactly(buffer, 0, all(1, 50)));
  Buffer left = leftover(disk);
  disk->read_error = EIO;
  CHECK(left.ready(1));
  CHECK(left.find(1) == nullptr);
}

TEST_CASE("a power cut leaves what was synced, and never a batch that was not made") {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const auto disk = std::make_shared<FakeDisk>();
    std::uint64_t acknowledged = 0;
    std::uint64_t synced = 0;
    std::uint64_t pushed = 0;
    {
      Buffer buffer = make_buffer(disk, 5000 + random() % 20'000);
      const std::uint64_t last = 1 + random() % 150;
      while (pushed < last) {
        keep(buffer, batch(++pushed, 50 + random() % 300));
        if (random() % 3 == 0) {
          acknowledged = std::max(acknowledged, pushed - random() % std::min<std::uint64_t>(pushed, 40));
          buffer.acknowledge(acknowledged);
        }
        if (random() % 5 == 0 && buffer.spool()->sync()) synced = pushed;
      }
    }
    disk->cut_power(random);
    Buffer left = leftover(disk);
    const auto kept = sendable(left, acknowledged);
    for (std::uint64_t seq = acknowledged + 1; seq <= synced; ++seq) REQUIRE(kept.contains(seq));
    REQUIRE(left.next_seq() <= pushed + 1);
  }
}

TEST_CASE("a damaged segment is cut where the damage is, the others stay") {
  const auto disk = std::make_shared<FakeDisk>();
  {
    Buffer buffer = make_buffer(disk, 50'000);
    for (std::uint64_t seq = 1; seq <= 12'000; ++seq) keep(buffer, batch(seq));
  }
  const auto names = *disk->list();
  REQUIRE(names.size() >= 3);
  std::string& middle = disk->content(names[1]);
  middle[middle.size() / 2] = static_cast<char>(~middle[middle.size() / 2]);
  Buffer left = leftover(disk);
  const auto kept = sendable(left, 0);
  CHECK(kept.contains(1));
  CHECK(kept.contains(12'000));
  CHECK(kept.size() < 12'000);
  CHECK(kept.size() > 12'000 - 5000);
}

TEST_CASE("what damage hides is told with its times, wherever it is; a torn end is not") {
  const auto disk = std::make_shared<FakeDisk>();
  {
    Buffer buffer = make_buffer(disk, 0);
    for (std::uint64_t seq = 1; seq <= 50; ++seq) keep(buffer, batch(seq));
  }
  const auto names = *disk->list();
  REQUIRE(names.size() == 1);
  const std::string whole = disk->content(names[0]);
  const auto damaged_after = [&](std::size_t offset) {
    std::string bytes = whole;
    bytes[offset] = static_cast<char>(~bytes[offset]);
    REQUIRE(disk->clear(names[0]));
    REQUIRE(disk->write(names[0], 0, bytes));
    auto found = Spool::find_leftovers(*disk);
    REQUIRE(found);
    return std::move(found->damaged);
  };
  const auto header = damaged_after(10);  // nothing of it can be used
  REQUIRE(header.size() == 1);
  CHECK(header[0].first_seq == 1);
  CHECK(header[0].last_seq == 50);
  CHECK(header[0].last_time_ms == batch(50).last_time_ms);
  CHECK(*disk->list() == names);  // until it was told

  const auto middle = damaged_after(whole.size() / 2);
  REQUIRE(middle.size() == 1);
  CHECK(middle[0].first_seq > 10);
  CHECK(middle[0].first_time_ms == batch(middle[0].first_seq - 1).last_time_ms);
  CHECK(middle[0].last_seq == 50);

  CHECK(damaged_after(whole.size() - 1).empty());

  // Wherever it is, but in the last record and in what stands before the first: a length, a checksum, a
  // content.
  for (std::size_t offset = 10; offset < whole.size() * 9 / 10; ++offset) {
    INFO(offset);
    const auto found = damaged_after(offset);
    REQUIRE(found.size() == 1);
    REQUIRE(found[0].last_seq == 50);
    REQUIRE(found[0].last_time_ms == batch(50).last_time_ms);
  }
}

TEST_CASE("segments of a newer agent are neither read nor removed") {
  const auto disk = std::make_shared<FakeDisk>();
  {
    Buffer buffer = make_buffer(disk, 50'000);
    for (std::uint64_t seq = 1; seq <= 12'000; ++seq) keep(buffer, batch(seq));
  }
  const auto names = *disk->list();
  REQUIRE(names.size() >= 3);
  disk->content(names.back())[3] = 2;
  const std::string before = disk->content(names.back());
  const auto left = Spool::leftovers(disk);
  REQUIRE(left);
  CHECK(left->newer == std::vector<std::string>{names.back()});
  CHECK(left->damaged.empty());
  CHECK(left->unusable.empty());
  REQUIRE(left->spools.size() == 1);
  left->spools.front()->clear();  // all else was delivered
  CHECK(*disk->list() == std::vector<std::string>{names.back()});
  CHECK(disk->content(names.back()) == before);
}

TEST_CASE("a failed sync is not tried again: the next group begins a file that is synced by itself") {
  const auto disk = std::make_shared<FakeDisk>();
  std::mt19937_64 random(7);
  {
    Buffer buffer = make_buffer(disk);
    for (std::uint64_t seq = 1; seq <= 5; ++seq) keep(buffer, batch(seq));
    disk->fail(1, 1);
    CHECK_FALSE(buffer.spool()->sync());
    CHECK_FALSE(buffer.spool()->unsynced());
    for (std::uint64_t seq = 6; seq <= 25; ++seq) keep(buffer, batch(seq));
    CHECK(buffer.spool()->segments() == 2);
    CHECK(buffer.spool()->sync());
  }
  disk->cut_power(random);
  Buffer left = leftover(disk);
  const auto kept = sendable(left, 0);
  for (std::uint64_t seq = 11; seq <= 25; ++seq) CHECK(kept.contains(seq));
}

TEST_CASE("the segment being written stays, however small the cap") {
  const auto disk = std::make_shared<FakeDisk>();
  Buffer buffer = make_buffer(disk);
  for (std::uint64_t seq = 1; seq <= 50; ++seq) keep(buffer, batch(seq));
  CHECK_FALSE(buffer.drop_spooled("spool_full"));
  CHECK(buffer.dropped_batches() == 0);
}

TEST_CASE("files of other kinds and sizes in the folder harm nothing") {
  test::TempDir folder;
  const std::string path = folder.file("spool");
  const std::string id = "30313233343536373839616263646566";
  {
    auto opened = open_disk(path);
    REQUIRE(opened);
    const std::shared_ptr<Disk> disk = std::move(*opened);
    Buffer buffer({1 << 20, 0}, std::make_unique<Spool>(disk, kStream));
    for (std::uint64_t seq = 1; seq <= 15; ++seq) keep(buffer, batch(seq));
    CHECK(open_disk(path).error().code == Errc::conflict);
  }
  REQUIRE(::mkfifo((path + "/" + id + "-00000007.segment").c_str(), 0600) == 0);
  REQUIRE(::symlink("/dev/zero", (path + "/" + id + "-00000008.segment").c_str()) == 0);
  const std::string huge = path + "/" + id + "-00000009.segment";
  std::ofstream(huge).flush();
  std::filesystem::resize_file(huge, std::uintmax_t{1} << 40);
  std::ofstream(path + "/README") << "not ours";
  auto opened = open_disk(path);
  REQUIRE(opened);
  const auto found = Spool::leftovers(std::move(*opened));
  REQUIRE(found);
  REQUIRE(found->spools.size() == 1);
  CHECK(found->spools.front()->last_seq() == 15);
}

TEST_CASE("what is durable is kept a while for an aggregator restored from an older state") {
  Buffer buffer({1 << 20, 15 * 60 * 1000});
  for (std::uint64_t seq = 1; seq <= 2000; ++seq) {
    keep(buffer, batch(seq));
    buffer.acknowledge(seq);
  }
  CHECK(2000 - buffer.first_kept_seq() >= 15 * 60 - kKeyframeEvery);
  CHECK(2000 - buffer.first_kept_seq() <= 15 * 60 + 2 * kKeyframeEvery);
  CHECK(sends_exactly(buffer, 1500, all(1501, 2000)));
}

}  // namespace vigil::agent::testing
