// Damage in a write-ahead log against ends that are merely torn: the one is found and mended, the others are
// left to SQLite.
#include "aggregator/store/wal.h"

#include "aggregator/store/sqlite.h"
#include "tests/aggregator/store/temporary_folder.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <random>
#include <set>

namespace vigil::aggregator {
namespace {

using testing::TemporaryFolder;

constexpr std::size_t kHeader = 32;
constexpr std::size_t kFrame = 24 + 4096;
constexpr int kRows = 40;

std::string contents(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void overwrite(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << bytes;
  REQUIRE(stream.flush());
}

/// Of row `id`, so that a changed byte shows.
std::string blob_of(int id, std::size_t size = 9000) {
  std::mt19937_64 random(static_cast<std::uint64_t>(id));
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

/// The files of a database as a killed process leaves them.
struct Left {
  std::string database;
  std::string log;
};

class Place {
 public:
  explicit Place(const Left& left) { put(left); }
  Place() = default;
  void put(const Left& left) const {
    overwrite(path(), left.database);
    overwrite(log(), left.log);
    std::filesystem::remove(path().string() + "-shm");
  }
  std::filesystem::path path() const { return folder_.path() / "journal-1.db"; }
  std::filesystem::path log() const { return path().string() + "-wal"; }
  Left left() const { return {contents(path()), contents(log())}; }

  Database open() const {
    auto database = Database::open(path(), Access::read_write, "");
    REQUIRE(database);
    return std::move(*database);
  }
  void add(Database& database, int first, int last, std::size_t size = 9000) const {
    REQUIRE(database.execute("BEGIN IMMEDIATE"));
    auto insert = database.prepare("INSERT INTO t(id, data) VALUES(?, ?)");
    REQUIRE(insert);
    for (int id = first; id <= last; ++id) {
      const std::string blob = blob_of(id, size);
      REQUIRE(insert->run(std::int64_t{id}, Blob{blob}));
    }
    REQUIRE(database.execute("COMMIT"));
  }
  std::optional<WalDamage> find() const {
    const auto damage = find_wal_damage(path(), "");
    REQUIRE(damage);
    return *damage;
  }
  std::optional<WalDamage> mend() const {
    const auto damage = mend_wal(path(), "");
    REQUIRE(damage);
    return *damage;
  }
  /// Rows that are as they were written.
  std::set<int> sound_rows(std::size_t size = 9000) const {
    std::set<int> sound;
    const auto take = [&](Statement& read) {
      for (auto more = read.step(); more && *more; more = read.step()) {
        const int id = static_cast<int>(read.integer(0));
        if (read.bytes(1) == blob_of(id, size)) sound.insert(id);
      }
    };
    Database database = open();
    for (const char* order : {"ASC", "DESC"}) {  // what is damaged ends the reading, from either side
      auto read = database.prepare(fmt::format("SELECT id, data FROM t ORDER BY id {}", order));
      if (read) take(*read);
    }
    return sound;
  }

 private:
  TemporaryFolder folder_;
};

Left make_left(int rows = kRows) {
  const Place place;
  overwrite(place.path(), "");
  Database database = place.open();
  REQUIRE(
      database.execute("PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                       "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB) STRICT"));
  for (int id = 1; id <= rows; ++id) place.add(database, id, id);
  return place.left();
}

std::size_t frames_of(const std::string& log) {
  return (log.size() - kHeader) / kFrame;
}

bool is_commit(const std::string& log, std::size_t frame) {
  return log.substr(kHeader + frame * kFrame + 4, 4) != std::string(4, '\0');
}

}  // namespace

TEST_CASE("a log that is whole is left alone") {
  const Left left = make_left();
  const Place place(left);
  CHECK_FALSE(place.find());
  CHECK_FALSE(place.mend());
  CHECK(place.left().log == left.log);
  CHECK(place.sound_rows().size() == kRows);
}

TEST_CASE("a byte that changed in a log is found, and costs what it hit instead of all that came after") {
  const Left left = make_left();
  const std::size_t frames = frames_of(left.log);
  std::mt19937_64 random(1);
  std::size_t lost = 0;
  std::size_t found = 0;
  for (std::size_t frame = 0; frame + 8 < frames; ++frame) {
    Left harmed = left;
    const std::size_t at = kHeader + frame * kFrame + random() % kFrame;
    harmed.log[at] ^= static_cast<char>(1 + random() % 255);
    const Place place(harmed);
    INFO("frame " << frame << ", byte " << at);
    const auto damage = place.find();
    REQUIRE(damage);
    CHECK(damage->offset == kHeader + frame * kFrame);
    CHECK(damage->commits > 0);
    CHECK(place.mend());
    CHECK_FALSE(place.find());
    lost += kRows - place.sound_rows().size();
    ++found;
  }
  CAPTURE(lost, found);
  CHECK(lost < 2 * found);  // of forty; unmended it is twenty
}

TEST_CASE("the head of a frame may be wrong, and the header of the log") {
  const Left left = make_left();
  for (std::size_t byte = 0; byte < 24; ++byte) {
    for (const std::size_t frame : {std::size_t{3}, frames_of(left.log) / 2}) {
      Left harmed = left;
      harmed.log[kHeader + frame * kFrame + byte] ^= '\x41';
      const Place place(harmed);
      INFO("byte " << byte << " of frame " << frame);
      REQUIRE(place.mend());
      CHECK(place.sound_rows().size() + 8 >= kRows);
    }
  }
  for (std::size_t byte = 0; byte < kHeader; ++byte) {
    Left harmed = left;
    harmed.log[byte] ^= '\x41';
    const Place place(harmed);
    INFO("byte " << byte << " of the header");
    const auto damage = place.mend();
    REQUIRE(damage);
    CHECK(damage->offset == 0);
    CHECK(place.sound_rows().size() == kRows);
  }
}

TEST_CASE("sectors of zeros in several places are mended in one go") {
  const Left left = make_left();
  Left harmed = left;
  for (const std::size_t frame : {std::size_t{10}, std::size_t{11}, frames_of(left.log) / 2})
    harmed.log.replace(kHeader + frame * kFrame + 512, 512, 512, '\0');
  const Place place(harmed);
  REQUIRE(place.mend());
  CHECK_FALSE(place.find());
  CHECK(place.sound_rows().size() + 6 >= kRows);
}

TEST_CASE("an end that was cut off, or never written whole, is no damage") {
  const Left left = make_left(12);
  for (std::size_t size = 0; size < left.log.size(); size += 1013) {
    Left harmed = left;
    harmed.log.resize(size);
    const Place place(harmed);
    INFO("cut to " << size);
    CHECK_FALSE(place.mend());
    CHECK(place.left().log.size() == size);
  }
  // The last transaction, of which the power cut left some frames, its commit among them.
  std::size_t begin = frames_of(left.log) - 1;
  while (!is_commit(left.log, begin - 1)) --begin;
  for (std::size_t frame = begin; frame < frames_of(left.log); ++frame) {
    Left harmed = left;
    harmed.log.replace(kHeader + frame * kFrame, kFrame, kFrame, '\0');
    const Place place(harmed);
    CHECK_FALSE(place.find());
    CHECK_FALSE(place.mend());
    CHECK(place.sound_rows().size() == 11);
  }
}

TEST_CASE("what a torn transaction left behind newer ones is no damage") {
  Left left = make_left(6);
  const std::size_t before = frames_of(left.log);
  {
    const Place place(left);
    Database database = place.open();
    place.add(database, 7, 26);  // one transaction of many frames
    left = place.left();
  }
  left.log.replace(kHeader + (before + 2) * kFrame, kFrame, kFrame, '\0');  // torn near its beginning
  REQUIRE(is_commit(left.log, frames_of(left.log) - 1));
  const Place place(left);
  {
    Database database = place.open();
    place.add(database, 7, 7);
    place.add(database, 8, 8);
    CHECK(frames_of(contents(place.log())) == frames_of(left.log));  // the old end is still there
    CHECK_FALSE(place.find());
    left = place.left();
  }
  const Place again(left);
  CHECK_FALSE(again.mend());
  CHECK(again.sound_rows() == std::set<int>{1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("a log whose mending was interrupted is mended the next time") {
  const Left left = make_left();
  Left harmed = left;
  harmed.log[kHeader + 20 * kFrame + 1000] ^= 1;
  const Place place(harmed);
  REQUIRE(place.mend());
  const Left mended = place.left();
  const auto sound = place.sound_rows();
  for (std::size_t frame = 20; frame + 8 < frames_of(left.log); frame += 5) {
    Left half = harmed;
    const std::size_t bytes = kHeader + frame * kFrame + 100;
    half.log.replace(0, bytes, mended.log, 0, bytes);
    place.put(half);
    REQUIRE(place.mend());
    CHECK(place.sound_rows().size() + 1 >= sound.size());
  }
}

TEST_CASE("a log that begins anew keeps its old end, which is no damage") {
  const Left left = make_left();
  const Place place(left);
  Database database = place.open();
  REQUIRE(database.execute("PRAGMA wal_checkpoint(RESTART)"));
  place.add(database, 100, 100);
  CHECK(contents(place.log()).size() == left.log.size());
  CHECK_FALSE(place.find());
  const Place again(place.left());
  CHECK_FALSE(again.mend());
  CHECK(again.sound_rows().size() == kRows + 1);
}

}  // namespace vigil::aggregator
