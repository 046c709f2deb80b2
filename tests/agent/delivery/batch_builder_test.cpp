#include "agent/delivery/batch_builder.h"

#include "tests/agent/delivery/model.h"
#include "tests/support/catch.h"

namespace vigil::agent {

using test::Host;

TEST_CASE("a builder that begins a stream counts from 1 again, with a keyframe and all schemas") {
  std::vector<EncodedBatch> batches;
  BatchBuilder builder([&batches](EncodedBatch batch) { batches.push_back(std::move(batch)); });
  Host host;
  host.tick(builder);
  host.tick(builder);
  builder.flush();
  host.tick(builder);
  builder.begin_stream();  // what was begun belongs to the stream before
  CHECK(batches.back().seq == batches.size());
  const std::size_t before = batches.size();
  host.tick(builder);
  builder.flush();
  REQUIRE(batches.size() > before);
  CHECK(batches[before].seq == 1);
  CHECK(batches[before].keyframe);
  std::size_t schemas = 0;
  for (std::size_t i = before; i < batches.size(); ++i) schemas += batches[i].schemas.size();
  CHECK(schemas == 2);
}

TEST_CASE("batches stay below the message limit and never mix schemas") {
  std::vector<EncodedBatch> batches;
  BatchBuilder builder([&batches](EncodedBatch batch) { batches.push_back(std::move(batch)); });
  Host host(4'000);
  for (int i = 0; i < 40; ++i) host.tick(builder);
  builder.flush();
  CHECK(batches.size() > 3);
  for (const EncodedBatch& batch : batches) CHECK(batch.message.size() < (1 << 20));
  const std::size_t before = batches.size();
  host.tick(builder);
  host.add_column();
  host.tick(builder);
  builder.flush();
  REQUIRE(batches.size() == before + 2);
  CHECK(batches[before].schemas.empty());
  CHECK(batches[before + 1].schemas.size() == 1);
}

TEST_CASE("a keyframe comes at least every 60 batches") {
  std::vector<EncodedBatch> batches;
  BatchBuilder builder([&batches](EncodedBatch batch) { batches.push_back(std::move(batch)); });
  Host host;
  for (int i = 0; i < 200; ++i) {
    host.tick(builder);
    builder.flush();
  }
  int since = 0;
  for (const EncodedBatch& batch : batches) {
    since = batch.keyframe ? 0 : since + 1;
    CHECK(since < 60);
  }
  CHECK(batches.front().keyframe);
}

}  // namespace vigil::agent
