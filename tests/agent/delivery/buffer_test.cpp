#include "agent/delivery/buffer.h"

#include "tests/support/catch.h"

#include <random>

namespace vigil::agent {
namespace {

/// A batch of about `bytes` bytes; batches `keyframe_every` apart are keyframes.
EncodedBatch batch(std::uint64_t seq, std::uint64_t keyframe_every = 10, std::size_t bytes = 1000) {
  EncodedBatch out;
  out.seq = seq;
  out.keyframe = (seq - 1) % keyframe_every == 0;
  out.first_time_ms = static_cast<std::int64_t>(seq) * 1000;
  out.last_time_ms = out.first_time_ms + 999;
  out.message.assign(bytes, 'x');
  return out;
}

EncodedBatch with_schema(EncodedBatch batch, std::uint32_t source_id, std::string text) {
  batch.schemas.push_back({source_id, std::move(text)});
  return batch;
}

std::vector<std::string> texts(const std::vector<const EncodedSchema*>& schemas) {
  std::vector<std::string> out;
  for (const EncodedSchema* schema : schemas) out.push_back(schema->message);
  return out;
}

}  // namespace

TEST_CASE("what is not durable is kept, from the keyframe before it") {
  Buffer buffer({1 << 20});
  for (std::uint64_t seq = 1; seq <= 25; ++seq) buffer.push(batch(seq));
  CHECK(buffer.first_kept_seq() == 1);
  buffer.acknowledge(13);
  CHECK(buffer.first_kept_seq() == 11);  // 14 builds on 11
  CHECK(buffer.resume_seq(13) == 11);
  buffer.acknowledge(20);
  CHECK(buffer.first_kept_seq() == 21);  // 21 is a keyframe itself
  buffer.acknowledge(25);
  CHECK(buffer.first_kept_seq() == 21);  // 26 may build on it
  CHECK(buffer.find(20) == nullptr);
  CHECK(buffer.find(25)->seq == 25);
  CHECK(buffer.find(26) == nullptr);
}

TEST_CASE("nothing kept yet resumes with the batch to come") {
  const Buffer buffer({1 << 20});
  CHECK(buffer.first_kept_seq() == 0);
  CHECK(buffer.resume_seq(0) == 1);
  CHECK(buffer.lost_between(0, 1).empty());
}

TEST_CASE("past its cap the buffer drops whole groups, oldest first, and remembers what") {
  Buffer buffer({50'000});
  for (std::uint64_t seq = 1; seq <= 100; ++seq) buffer.push(batch(seq));
  CHECK(buffer.bytes() <= 50'000);
  CHECK(buffer.first_kept_seq() % 10 == 1);
  const auto all = buffer.lost_between(0, buffer.first_kept_seq());
  REQUIRE(all.size() == 1);
  const LostBatches& lost = all.front();
  CHECK(lost.first_seq == 1);
  CHECK(lost.last_seq == buffer.first_kept_seq() - 1);
  CHECK(lost.first_time_ms == 1000);
  CHECK(lost.last_time_ms == static_cast<std::int64_t>(lost.last_seq) * 1000 + 999);
  CHECK(lost.reason == "buffer_full");
  CHECK(buffer.dropped_batches() == lost.last_seq);
}

TEST_CASE("what is durable is not counted as lost when its group is dropped") {
  Buffer buffer({50'000});
  for (std::uint64_t seq = 1; seq <= 20; ++seq) buffer.push(batch(seq));
  buffer.acknowledge(15);
  for (std::uint64_t seq = 21; seq <= 70; ++seq) buffer.push(batch(seq));
  const auto lost = buffer.lost_between(15, buffer.first_kept_seq());
  REQUIRE(lost.size() == 1);
  CHECK(lost.front().first_seq == 16);
  CHECK(lost.front().first_time_ms == 16'000);
}

TEST_CASE("an aggregator that forgot is told what it had acknowledged, until when") {
  Buffer buffer({1 << 20});
  for (std::uint64_t seq = 1; seq <= 25; ++seq) buffer.push(batch(seq));
  buffer.acknowledge(25);
  CHECK(buffer.resume_seq(3) == 21);
  const auto lost = buffer.lost_between(3, 21);
  REQUIRE(lost.size() == 1);
  CHECK(lost.front().first_seq == 4);
  CHECK(lost.front().last_seq == 20);
  CHECK(lost.front().first_time_ms == 0);
  CHECK(lost.front().last_time_ms == 21'000);
  CHECK(lost.front().reason == "aggregator_lost");
}

TEST_CASE("what the aggregator lost and what was dropped here are told apart") {
  Buffer buffer({50'000});
  for (std::uint64_t seq = 1; seq <= 20; ++seq) buffer.push(batch(seq));
  buffer.acknowledge(15);
  for (std::uint64_t seq = 21; seq <= 70; ++seq) buffer.push(batch(seq));
  const auto lost = buffer.lost_between(3, buffer.first_kept_seq());
  REQUIRE(lost.size() == 2);
  CHECK(lost[0].reason == "aggregator_lost");
  CHECK(lost[0].first_seq == 4);
  CHECK(lost[0].last_seq == 15);
  CHECK(lost[0].last_time_ms == 16'000);
  CHECK(lost[1].reason == "buffer_full");
  CHECK(lost[1].first_seq == 16);
  CHECK(lost[1].first_time_ms == 16'000);
  CHECK(lost[1].last_seq + 1 == buffer.first_kept_seq());
}

TEST_CASE("schemas outlive the batches that brought them, the newest of each source") {
  Buffer buffer({1 << 20});
  for (std::uint64_t seq = 1; seq <= 40; ++seq) {
    EncodedBatch next = batch(seq);
    if (seq == 1) next = with_schema(with_schema(std::move(next), 1, "one v1"), 2, "two v1");
    if (seq == 15) next = with_schema(std::move(next), 1, "one v2");
    if (seq == 33) next = with_schema(std::move(next), 2, "two v2");
    buffer.push(std::move(next));
  }
  CHECK(texts(buffer.schemas_before(1)).empty());
  CHECK(texts(buffer.schemas_before(15)) == std::vector<std::string>{"one v1", "two v1"});
  CHECK(texts(buffer.schemas_before(16)) == std::vector<std::string>{"one v2", "two v1"});
  buffer.acknowledge(30);
  CHECK(buffer.first_kept_seq() == 31);
  CHECK(texts(buffer.schemas_before(31)) == std::vector<std::string>{"one v2", "two v1"});
  CHECK(texts(buffer.schemas_before(41)) == std::vector<std::string>{"one v2", "two v2"});
}

TEST_CASE("the oldest group is given up on request, the last one never") {
  Buffer buffer({1 << 20});
  for (std::uint64_t seq = 1; seq <= 15; ++seq) buffer.push(batch(seq));
  CHECK(buffer.drop_oldest_group("refused"));
  CHECK(buffer.first_kept_seq() == 11);
  CHECK(buffer.lost_between(0, 11).front().reason == "refused");
  CHECK_FALSE(buffer.drop_oldest_group("refused"));
}

TEST_CASE("whatever happens, kept batches are whole groups and cover all that is neither durable nor lost") {
  std::mt19937_64 random(11);  // NOLINT(cert-msc51-cpp): the same numbers each run
  for (int round = 0; round < 100; ++round) {
    Buffer buffer({20'000 + random() % 50'000});
    std::uint64_t keyframe = 0;
    for (std::uint64_t seq = 1; seq <= 400; ++seq) {
      EncodedBatch next = batch(seq, 1, 1 + random() % 2000);
      next.keyframe = seq == 1 || random() % 7 == 0;
      if (next.keyframe) keyframe = seq;
      buffer.push(std::move(next));
      if (random() % 5 == 0) buffer.acknowledge(random() % (seq + 5));
      const std::uint64_t first = buffer.first_kept_seq();
      REQUIRE(buffer.find(first)->keyframe);
      REQUIRE(buffer.next_seq() == seq + 1);
      REQUIRE(buffer.find(seq) != nullptr);
      REQUIRE(first <= keyframe);
      const std::uint64_t resume = buffer.resume_seq(buffer.durable_seq());
      REQUIRE(buffer.find(resume)->keyframe);
      const auto lost = buffer.lost_between(buffer.durable_seq(), resume);
      REQUIRE(lost.size() == (resume > buffer.durable_seq() + 1 ? 1 : 0));
      if (!lost.empty()) REQUIRE(lost.front().reason == "buffer_full");
    }
  }
}

}  // namespace vigil::agent
