// Checksums of pages: every bit of a page counts, and databases without them are left alone.
#include "aggregator/store/page_checksums.h"

#include "aggregator/store/copy_database.h"
#include "aggregator/store/sqlite.h"
#include "tests/aggregator/store/temporary_folder.h"
#include "tests/support/catch.h"

#include <fstream>

namespace vigil::aggregator {
namespace {

using testing::TemporaryFolder;

constexpr std::size_t kPage = 4096;
constexpr const char* kFill =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT "
    "i+1 FROM n WHERE "
    "i<500) INSERT INTO t SELECT i, 'a name of some length, number ' || i FROM n;";

Database opened(const std::filesystem::path& path, Access access = Access::read_write) {
  std::ofstream(path, std::ios::app).close();
  auto database = Database::open(path, access, "");
  REQUIRE(database);
  return std::move(*database);
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_to(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

enum class Mode : std::uint8_t { log, rollback };

/// A database whose pages are all in its file.
std::string made(const std::filesystem::path& path, Mode mode) {
  {
    Database database = opened(path);
    REQUIRE(database.execute(mode == Mode::log ? "PRAGMA journal_mode=WAL" : "PRAGMA journal_mode=DELETE"));
    REQUIRE(keep_page_checksums(database.handle()));
    REQUIRE(has_page_checksums(database.handle()));
    REQUIRE(database.execute(kFill));
    REQUIRE(database.execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  return content_of(path);
}

Result<std::int64_t> read_all(const std::filesystem::path& path) {
  auto database = Database::open(path, Access::read_only, "");
  if (!database) return database.error();
  return database->integer("SELECT sum(length(name)) FROM t NOT INDEXED");
}

}  // namespace

TEST_CASE("A flipped bit anywhere in a page that is read is told") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "t.db";
  const std::string good = made(path, GENERATE(Mode::log, Mode::rollback));
  const auto sum = read_all(path);
  REQUIRE(sum);
  REQUIRE(good.size() >= 4 * kPage);
  for (std::size_t at = 0; at < good.size(); at += at < kPage ? 1 : 61) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << at % 8));
    write_to(path, bad);
    const auto read = read_all(path);
    INFO("byte " << at);
    REQUIRE_FALSE(read);
    REQUIRE(read.error().code == Errc::corrupt);
  }
}

TEST_CASE("A page that stands where another belongs is told") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "t.db";
  std::string content = made(path, Mode::log);
  const std::string third = content.substr(2 * kPage, kPage);
  content.replace(3 * kPage, kPage, third);
  write_to(path, content);
  const auto read = read_all(path);
  REQUIRE_FALSE(read);
  CHECK(read.error().message.find("checksum of a page") != std::string::npos);
  CHECK(read.error().message.find("t.db") != std::string::npos);
}

TEST_CASE("A database without checksums is read as it is, and gets them when asked") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "t.db";
  {
    Database database = opened(path);
    REQUIRE(database.execute("PRAGMA journal_mode=WAL"));
    REQUIRE(database.execute(kFill));
    CHECK_FALSE(has_page_checksums(database.handle()));
  }
  const auto before = read_all(path);
  REQUIRE(before);
  {
    Database database = opened(path);
    REQUIRE(keep_page_checksums(database.handle()));
    CHECK(has_page_checksums(database.handle()));
    REQUIRE(keep_page_checksums(database.handle()));  // nothing more
    REQUIRE(database.execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  CHECK(read_all(path).value() == *before);
  CHECK(content_of(path).find("VGP\x01") != std::string::npos);
  CHECK(has_page_checksums(opened(path, Access::read_only).handle()));
}

TEST_CASE("A copy of a database with checksums has them, too") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "t.db";
  const auto copy = folder.path() / "copy.db";
  made(path, Mode::log);
  {
    Database from = opened(path);
    REQUIRE(from.execute("UPDATE t SET name='another' WHERE id%3=0"));  // some pages are in the log
    REQUIRE(copy_database(from, copy, [](std::uint64_t) { return true; }));
    REQUIRE(read_all(copy).value() == from.integer("SELECT sum(length(name)) FROM t").value());
  }
  std::string content = content_of(copy);
  content[2 * kPage + 100] ^= 1;
  write_to(copy, content);
  CHECK_FALSE(read_all(copy));
}

TEST_CASE("Databases in memory and a VFS that is not there") {
  CHECK(Database::open(":memory:", Access::read_write, ""));
  const auto none = with_page_checksums("no such VFS");
  REQUIRE_FALSE(none);
  CHECK(none.error().message.find("no such VFS") != std::string::npos);
  CHECK(with_page_checksums("").value() == with_page_checksums("").value());
}

}  // namespace vigil::aggregator
