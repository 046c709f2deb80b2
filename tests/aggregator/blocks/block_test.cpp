#include "aggregator/blocks/block.h"

#include "common/crc32c.h"
#include "tests/aggregator/blocks/generate.h"
#include "tests/support/catch.h"
#include "tests/support/from_environment.h"

#include <numeric>

namespace vigil::aggregator {
namespace {

using testing::make_block;
using testing::Random;

Block column_block(std::vector<std::int64_t> values) {
  Block block;
  block.series = {7};
  block.times_ms.resize(values.size());
  std::iota(block.times_ms.begin(), block.times_ms.end(), 1'700'000'000'000);
  block.values = std::move(values);
  return block;
}

void require_round_trip(const Block& block) {
  const auto sealed = SealedBlock::open(seal(block));
  REQUIRE(sealed);
  const auto decoded = (*sealed)->decode();
  REQUIRE(decoded);
  REQUIRE(testing::equal(*decoded, block));
  REQUIRE((*sealed)->rows() == block.times_ms.size());
  REQUIRE((*sealed)->first_ms() == block.times_ms.front());
  REQUIRE((*sealed)->last_ms() == block.times_ms.back());
}

// Every way to read a block; none may crash, whatever open() let through.
bool reads_completely(const SealedBlock& block) {
  bool good = block.times().has_value() && block.decode().has_value();
  for (std::size_t i = 0; i < block.series().size(); ++i) good = block.column(i).has_value() && good;
  ColumnReader reader(block);
  for (std::size_t i = 0; i < block.series().size() && good; ++i) good = reader.read(i).has_value();
  return good;
}

}  // namespace

TEST_CASE("A sealed block gives back every value bit by bit") {
  Random random(GENERATE(range(0, 60)));
  const auto rows = std::uniform_int_distribution<std::size_t>(1, 200)(random);
  const auto columns = std::uniform_int_distribution<std::size_t>(1, 60)(random);
  require_round_trip(make_block({rows, columns}, random));
}

TEST_CASE("Ten million values of every shape come back bit by bit") {
  const std::uint64_t wanted = vigil::testing::number_from_environment("VIGIL_VALUES", 10'000'000);
  const std::uint64_t seed = vigil::testing::number_from_environment("VIGIL_SEED", 1);
  Random random(seed);
  const vigil::testing::Progress progress("values", wanted);
  for (std::uint64_t values = 0; values < wanted;) {
    const auto rows = std::uniform_int_distribution<std::size_t>(1, 700)(random);
    const auto columns = std::uniform_int_distribution<std::size_t>(1, 150)(random);
    INFO("VIGIL_SEED=" << seed << ", after " << values << " values");
    require_round_trip(make_block({rows, columns}, random));
    values += rows * columns;
    progress.at(values);
  }
}

TEST_CASE("Single columns with extreme values survive") {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kLeast = kAbsent + 1;
  const auto values = GENERATE_COPY(table<std::vector<std::int64_t>>({
      {{0}},
      {{kAbsent}},
      {{kAbsent, kAbsent, kAbsent}},
      {{kMax, kLeast, kMax, kLeast}},
      {{kLeast, kMax, 0, kAbsent, kMax}},
      {{kAbsent, 1, 2, 3, kAbsent, 5, kAbsent}},
      {{5, kAbsent, kAbsent, 6}},
      {{0, kMax, -2, kMax - 1}},  // linear modulo 2^64
      {{4096, 8192, 4096 * 100, 0}},
      {{raw_from_double(-0.0), raw_from_double(stale_marker()), raw_from_double(0.0)}},
      {{-1, -1, -1, -1}},
      {{10, 20, 30, 40, 50}},
  }));
  require_round_trip(column_block(std::get<0>(values)));
}

TEST_CASE("A block of 5,000 columns survives") {
  Random random(5000);
  require_round_trip(make_block({120, 5000}, random));
}

TEST_CASE("A single column equals the same column of the whole block") {
  Random random(3);
  const Block block = make_block({90, 50}, random);
  const auto sealed = SealedBlock::open(seal(block));
  REQUIRE(sealed);
  for (std::size_t i = 0; i < block.series.size(); ++i) {
    const auto column = (*sealed)->column(i);
    REQUIRE(column);
    const auto first = block.values.begin() + static_cast<std::ptrdiff_t>(i * 90);
    REQUIRE(std::equal(column->begin(), column->end(), first, first + 90));
  }
  REQUIRE((*sealed)->times().value() == block.times_ms);
}

TEST_CASE("Some columns, read one after the other, equal those of the whole block") {
  Random random(4);
  const Block block = make_block({90, 50}, random);
  const auto sealed = SealedBlock::open(seal(block));
  REQUIRE(sealed);
  for (const std::size_t step : {1, 2, 7, 16, 33}) {
    ColumnReader reader(**sealed);
    for (std::size_t i = step - 1; i < block.series.size(); i += step) {
      const auto column = reader.read(i);
      REQUIRE(column);
      REQUIRE(
          std::equal(column->begin(), column->end(),
                     block.values.begin() + static_cast<std::ptrdiff_t>(i * block.times_ms.size()),
                     block.values.begin() + static_cast<std::ptrdiff_t>((i + 1) * block.times_ms.size())));
    }
  }
}

TEST_CASE("Samples are counted without absent cells") {
  const auto sealed = SealedBlock::open(seal(column_block({1, kAbsent, 3, kAbsent, kAbsent})));
  REQUIRE(sealed);
  CHECK((*sealed)->samples() == 2);
}

TEST_CASE("A quiet host costs almost nothing and a counter less than two bytes a sample") {
  Block quiet;
  quiet.series.resize(400);
  std::iota(quiet.series.begin(), quiet.series.end(), 0);
  for (int row = 0; row < 120; ++row) quiet.times_ms.push_back(1'700'000'000'000 + row * 1000);
  quiet.values.assign(400 * 120, 123'456'789);
  CHECK(seal(quiet).size() < 1000);

  Random random(1);
  CHECK(seal(column_block(testing::make_column(2, 1000, random))).size() < 1500);
  CHECK(seal(column_block(testing::make_column(3, 1000, random))).size() < 2300);  // multiples of 4,096
}

TEST_CASE("Every prefix of a sealed block is refused as corrupt") {
  Random random(11);
  const std::string sealed = seal(make_block({20, 40}, random));
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    const auto opened = SealedBlock::open(sealed.substr(0, size));
    REQUIRE_FALSE(opened);
    REQUIRE(opened.error().code == Errc::corrupt);
  }
}

TEST_CASE("Every flipped bit of a sealed block is noticed") {
  Random random(12);
  const std::string sealed = seal(make_block({15, 20}, random));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string damaged = sealed;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto opened = SealedBlock::open(std::move(damaged));
    REQUIRE_FALSE(opened);
    REQUIRE(opened.error().code == Errc::corrupt);
  }
}

TEST_CASE("Damage that carries a matching checksum never crashes a reader") {
  Random random(GENERATE(range(0, 8)));
  const std::string sealed = seal(make_block({30, 35}, random));
  std::size_t opened_count = 0;
  for (int round = 0; round < 300; ++round) {
    std::string damaged = sealed;
    const int flips = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < flips; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (round % 5 == 0) damaged.resize(random() % damaged.size());
    testing::repair_checksum(damaged);
    const auto opened = SealedBlock::open(damaged);
    if (!opened) continue;
    ++opened_count;
    reads_completely(**opened);
  }
  CHECK(opened_count > 0);
}

TEST_CASE("A block that claims more cells than the limit is refused before memory is taken") {
  std::string bytes("VGB\x01", 4);
  bytes += std::string(4, '\0');
  bytes += "\xFF\xFF\xFF\xFF\x0F";  // rows
  bytes += "\xFF\xFF\xFF\xFF\x0F";  // columns
  bytes += std::string(40, '\x01');
  testing::repair_checksum(bytes);
  const auto opened = SealedBlock::open(bytes);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::corrupt);
}

TEST_CASE("A newer block version is refused by name") {
  std::string sealed = seal(column_block({1, 2}));
  sealed[3] = 2;
  testing::repair_checksum(sealed);
  const auto opened = SealedBlock::open(sealed);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message.find("version") != std::string::npos);
}

TEST_CASE("CRC-32C matches its published check value with and without the instruction") {
  CHECK(crc32c("123456789") == 0xE3069283U);
  CHECK(crc32c_portable("123456789") == 0xE3069283U);
  CHECK(crc32c("") == 0U);
  Random random(2);
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    CHECK(crc32c(bytes) == crc32c_portable(bytes));
    CHECK(crc32c(std::string_view(bytes).substr(bytes.size() / 3),
                 crc32c(bytes.substr(0, bytes.size() / 3))) == crc32c(bytes));
    bytes.push_back(static_cast<char>(random()));
  }
}

}  // namespace vigil::aggregator
