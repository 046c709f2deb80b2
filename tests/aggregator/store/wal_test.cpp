// Damage in a write-ahead log against ends that are merely torn: the one is found and mended, the others are
// left to SQLite.
#include "aggregator/store/wal.h"

#include "aggregator/store/sqlite.h"
#include "tests/aggregator/store/temporary_folder.h"
#include "tests/support/catch.h"

#include <algorithm>
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
  /// Rows that are as they were written, by whoever still has them: what a journal's recovery does.
  std::set<int> sound_rows(std::size_t size = 9000) const {
    std::set<int> sound;
    take(open(), size, sound);
    const auto images = images_behind_damage(path(), "");
    REQUIRE(images);
    for (const std::string& image : *images) {
      if (auto database = Database::of_image(image)) take(std::move(*database), size, sound);
    }
    return sound;
  }
  /// As SQLite sees them.
  std::set<int> rows_of_sqlite(std::size_t size) const {
    std::set<int> sound;
    take(open(), size, sound);
    return sound;
  }

 private:
  static void take(Database database, std::size_t size, std::set<int>& sound) {
    for (const char* order : {"ASC", "DESC"}) {  // what is damaged ends the reading, from either side
      auto read = database.prepare(fmt::format("SELECT id, data FROM t ORDER BY id {}", order));
      if (!read) continue;
      for (auto more = read->step(); more && *more; more = read->step()) {
        const int id = static_cast<int>(read->integer(0));
        if (read->bytes(1) == blob_of(id, size)) sound.insert(id);
      }
    }
  }

  TemporaryFolder folder_;
};

Left make_left(int rows = kRows, std::size_t size = 9000) {
  const Place place;
  overwrite(place.path(), "");
  Database database = place.open();
  REQUIRE(
      database.execute("PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                       "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB) STRICT"));
  for (int id = 1; id <= rows; ++id) place.add(database, id, id, size);
  return place.left();
}

std::size_t frames_of(const std::string& log) {
  return (log.size() - kHeader) / kFrame;
}

bool is_commit(const std::string& log, std::size_t frame) {
  return log.substr(kHeader + frame * kFrame + 4, 4) != std::string(4, '\0');
}

}  // namespace

TEST_CASE("a log that is whole has no damage") {
  const Left left = make_left();
  const Place place(left);
  CHECK_FALSE(place.find());
  CHECK(images_behind_damage(place.path(), "").value().empty());
  CHECK(place.left().log == left.log);
  CHECK(place.sound_rows().size() == kRows);
}

TEST_CASE("a byte that changed in a log is found, and costs what it hit instead of all that came after") {
  const auto size = GENERATE(std::size_t{9000}, std::size_t{300});  // of many pages, or many in a page
  const int rows = 40;
  const Left left = make_left(rows, size);
  const std::size_t frames = frames_of(left.log);
  std::mt19937_64 random(1);
  std::size_t lost = 0;
  std::size_t found = 0;
  std::size_t last = frames - 1;
  while (!is_commit(left.log, last - 1)) --last;  // the first frame of the last transaction
  for (std::size_t frame = 0; frame < last; ++frame) {
    Left harmed = left;
    const std::size_t at = kHeader + frame * kFrame + random() % kFrame;
    harmed.log[at] ^= static_cast<char>(1 + random() % 255);
    const Place place(harmed);
    INFO("frame " << frame << " of " << frames << ", byte " << at);
    const auto damage = place.find();
    REQUIRE(damage);
    CHECK(damage->offset <= kHeader + frame * kFrame);
    CHECK(damage->commits > 0);
    const std::size_t sound = place.sound_rows(size).size();
    lost += static_cast<std::size_t>(rows) - sound;
    ++found;
    CHECK(place.left().log == harmed.log);  // nothing is written
  }
  CAPTURE(lost, found);
  CHECK(lost < 2 * found);  // of forty; to SQLite it is twenty
}

TEST_CASE("whatever is damaged, never less is read than SQLite reads") {
  const Left left = make_left(30, 500);
  std::mt19937_64 random(7);
  for (std::size_t frame = 0; frame < frames_of(left.log); ++frame) {
    for (const std::size_t byte : {std::size_t{3}, std::size_t{7}, std::size_t{24}, std::size_t{27}}) {
      Left harmed = left;
      harmed.log[kHeader + frame * kFrame + byte] ^= static_cast<char>(1 + random() % 255);
      const Place place(harmed);
      INFO("byte " << byte << " of frame " << frame);
      const auto before = place.rows_of_sqlite(500);
      const auto all = place.sound_rows(500);
      CHECK(std::ranges::includes(all, before));
    }
  }
}

TEST_CASE("the head of a frame may be wrong, and the header of the log") {
  const Left left = make_left();
  for (std::size_t byte = 0; byte < 24; ++byte) {
    for (const std::size_t frame : {std::size_t{3}, frames_of(left.log) / 2}) {
      Left harmed = left;
      harmed.log[kHeader + frame * kFrame + byte] ^= '\x41';
      const Place place(harmed);
      INFO("byte " << byte << " of frame " << frame);
      REQUIRE(place.find());
      const std::size_t lost = byte < 8 ? 1 : 0;  // the others only tell of what is in the frame
      CHECK(place.sound_rows().size() + lost >= kRows);
    }
  }
  for (std::size_t byte = 0; byte < kHeader; ++byte) {
    Left harmed = left;
    harmed.log[byte] ^= '\x41';
    const Place place(harmed);
    INFO("byte " << byte << " of the header");
    const auto damage = place.find();
    REQUIRE(damage);
    CHECK(damage->offset == 0);
    CHECK(place.sound_rows().size() == kRows);
  }
}

TEST_CASE("sectors of zeros in several places cost what they hit") {
  const Left left = make_left();
  Left harmed = left;
  for (const std::size_t frame : {std::size_t{10}, std::size_t{11}, frames_of(left.log) / 2})
    harmed.log.replace(kHeader + frame * kFrame + 512, 512, 512, '\0');
  const Place place(harmed);
  REQUIRE(place.find());
  CHECK(place.sound_rows().size() + 6 >= kRows);
}

TEST_CASE("an end that was cut off, or never written whole, is no damage") {
  const Left left = make_left(12);
  for (std::size_t size = 0; size < left.log.size(); size += 1013) {
    Left harmed = left;
    harmed.log.resize(size);
    const Place place(harmed);
    INFO("cut to " << size);
    CHECK_FALSE(place.find());
  }
  // The last transaction, of which the power cut left some frames, its commit among them.
  std::size_t begin = frames_of(left.log) - 1;
  while (!is_commit(left.log, begin - 1)) --begin;
  for (std::size_t frame = begin; frame < frames_of(left.log); ++frame) {
    Left harmed = left;
    harmed.log.replace(kHeader + frame * kFrame, kFrame, kFrame, '\0');
    const Place place(harmed);
    CHECK_FALSE(place.find());
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
  CHECK_FALSE(again.find());
  CHECK(again.sound_rows() == std::set<int>{1, 2, 3, 4, 5, 6, 7, 8});
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
  CHECK(again.sound_rows().size() == kRows + 1);
}

TEST_CASE("what is beside a folder's logs stops nobody") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "x.db-wal");
  std::filesystem::create_directories(folder.path() / "journal-3.db-wal");
  overwrite(folder.path() / "journal-3.db", "");
  CHECK(look_at_logs(folder.path(), "") == 0);
}

}  // namespace vigil::aggregator
