// Damage of each kind is found and named; what is sound is not complained about.
#include "aggregator/store/check.h"

#include "aggregator/store/migrations.h"
#include "aggregator/store/sqlite.h"
#include "tests/aggregator/store/day_fixture.h"

#include <fstream>

namespace vigil::aggregator {
namespace {

using testing::DayFolder;
using testing::kSomeDay;
using testing::named;
using testing::open_after_a_day;

struct Outcome {
  std::vector<CheckFinding> findings;
  CheckTotals totals;
};

Outcome check(const std::filesystem::path& folder) {
  Outcome outcome;
  CheckCallbacks callbacks;
  callbacks.found = [&](const CheckFinding& finding) { outcome.findings.push_back(finding); };
  const auto totals = check_files({folder, "", {"meta.db"}}, callbacks);
  REQUIRE(totals);
  outcome.totals = *totals;
  CHECK(outcome.totals.findings >= outcome.findings.size());
  return outcome;
}

void run_sql(const std::filesystem::path& file, const char* sql) {
  auto database = Database::open(file, Access::read_write, "");
  REQUIRE(database);
  const auto done = database->execute(sql);
  REQUIRE(done);
}

void overwrite(const std::filesystem::path& file, std::uint64_t offset, const std::string& bytes) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream << bytes;
  REQUIRE(stream.good());
}

std::string contents(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A folder nobody has open.
struct Closed {
  Closed() { (void)open_after_a_day(at); }
  const std::filesystem::path& path() const { return at.folder.path(); }
  DayFolder at;
};

}  // namespace

TEST_CASE("A running history is sound, and all of it is looked at") {
  DayFolder at;
  const auto open = open_after_a_day(at);
  CheckTotals totals;
  std::vector<std::string> files;
  CheckCallbacks callbacks;
  callbacks.found = [](const CheckFinding& finding) { FAIL_CHECK(finding.file << ": " << finding.what); };
  callbacks.progress = [&](std::uint64_t done, std::uint64_t total, const std::string& file) {
    CHECK(done <= total);
    files.push_back(file);
    return true;
  };
  totals = open->history->check({"meta.db"}, callbacks).value();
  const HistoryStats stats = open->history->stats();
  CHECK(totals.findings == 0);
  CHECK(totals.blocks == stats.tiers[0].blocks + stats.tiers[1].blocks + stats.tiers[2].blocks);
  CHECK(totals.samples == stats.tiers[0].samples + stats.tiers[1].samples + stats.tiers[2].samples);
  CHECK(totals.groups == stats.journal_groups);
  CHECK(totals.files == 6);
  CHECK_FALSE(files.empty());
}

TEST_CASE("Damage is found, and named by file, host, source and time") {
  struct Case {
    const char* file;  // begins so
    const char* sql;
    const char* what;
    const char* host;
  };
  const auto c = GENERATE(values<Case>({
      {"raw-20231115", "DELETE FROM block WHERE id=2", "its block is not there", "web-0"},
      {"raw-20231116", "UPDATE block SET data=zeroblob(length(data)) WHERE id=3", "the block is damaged",
       "web-0"},
      {"minute-", "UPDATE block SET data=substr(data, 1, length(data)-1) WHERE id=1", "the block is damaged",
       "web-0"},
      {"hour-", "UPDATE block_index SET samples=samples+1", "does not say what is in the block", "web-0"},
      {"raw-20231115", "UPDATE block_index SET source=77 WHERE block=1", "source 77 is not in the index",
       "web-0"},
      {"raw-20231115", "DELETE FROM block_index WHERE block=1", "is in no index", ""},
      {"raw-20231115", "DELETE FROM held", "does not list all of its series", "web-0"},
      {"journal-", "UPDATE entry_group SET entries=zeroblob(40)", "group 1 is damaged", ""},
      {"history.db", "UPDATE cursor SET sealed_seq=durable_seq+1", "what is sealed was durable", "web-0"},
      {"history.db", "UPDATE cursor SET needed_seq=sealed_seq+2", "would be lost", "web-0"},
      {"history.db", "UPDATE cursor SET host=5", "host 5 is not known", ""},
      {"history.db", "DELETE FROM series WHERE id=1", "of its 3 series 2 are there and 0 have left", "web-0"},
      {"history.db", "UPDATE series SET labels=x'ff'", "labels cannot be decoded", "web-0"},
      {"history.db", "UPDATE schema SET data=x'00', plain_size=9", "schema cannot be decompressed", "web-0"},
      {"history.db", "UPDATE file SET form=5 WHERE kind=1", "was set aside", ""},
      {"history.db", "DELETE FROM file WHERE kind=1", "the index does not know this file", ""},
  }));
  const Closed folder;
  const std::string name = named(folder.path(), c.file);
  run_sql(folder.path() / name, c.sql);
  const Outcome outcome = check(folder.path());
  INFO(c.sql);
  REQUIRE_FALSE(outcome.findings.empty());
  const CheckFinding& finding = outcome.findings.front();
  CHECK_THAT(finding.what, Catch::Contains(c.what));
  CHECK(finding.host == c.host);
  if (std::string_view(c.file) != "history.db") CHECK(finding.file == name);
  if (std::string_view(c.what) != "the block is damaged") return;
  CHECK(finding.source == "node");
  CHECK(finding.first_ms >= kSomeDay);
  CHECK(finding.last_ms > finding.first_ms);
}

TEST_CASE("Partitions of the first format become today's at a start, and nothing is read otherwise") {
  DayFolder at;
  std::vector<std::int64_t> before;
  {
    const auto open = open_after_a_day(at);
    before = testing::times_of(*open->history);
  }
  REQUIRE_FALSE(before.empty());
  int partitions = 0;
  for (const std::string& name : testing::databases_in(at.folder.path())) {
    if (name.starts_with("journal-") || name == "history.db") continue;
    const std::string first = partition_format().steps.at(0);
    const std::string by_host = first.substr(first.find("CREATE TABLE block_index"));
    const std::string back = "BEGIN; ALTER TABLE block_index RENAME TO by_bucket; " + by_host +
                             "INSERT INTO block_index SELECT host, source, first_ms, block, last_ms, "
                             "first_series, last_series, samples, "
                             "bytes FROM by_bucket; DROP TABLE by_bucket; DROP TABLE held; "
                             "PRAGMA user_version=1; COMMIT";
    run_sql(at.folder.path() / name, back.c_str());
    ++partitions;
  }
  CHECK(partitions == 4);
  const auto open = testing::open_history(at.options());
  CHECK(testing::times_of(*open->history) == before);
  CHECK(check(at.folder.path()).totals.findings == 0);
}

TEST_CASE("A flipped byte anywhere in a block is found") {
  const Closed folder;
  const auto file = folder.path() / named(folder.path(), "raw-20231115");
  const std::string whole = contents(file);
  const std::size_t block = whole.find(std::string("VGB\x01", 4));
  REQUIRE(block != std::string::npos);
  const std::size_t offset = block + GENERATE(0U, 5U, 20U, 60U);
  overwrite(file, offset, std::string(1, static_cast<char>(whole[offset] ^ 0x10)));
  const Outcome outcome = check(folder.path());
  REQUIRE(outcome.findings.size() == 1);
  CHECK(outcome.findings.front().host == "web-0");
}

TEST_CASE("Pages that SQLite cannot read do not hide the rest") {
  const Closed folder;
  const auto file = folder.path() / named(folder.path(), "raw-20231115");
  const std::uint64_t pages = std::filesystem::file_size(file) / 4096;
  const std::uint64_t page = GENERATE(0U, 1U, 2U);
  REQUIRE(page < pages);
  overwrite(file, page * 4096, std::string(4096, '\x55'));
  const Outcome outcome = check(folder.path());
  REQUIRE_FALSE(outcome.findings.empty());
  for (const CheckFinding& finding : outcome.findings) CHECK(finding.file == file.filename());
  CHECK(outcome.totals.groups > 0);  // the other files were read
}

TEST_CASE("Damage in a write-ahead log is found, which SQLite takes for its end") {
  DayFolder at;
  const auto open = open_after_a_day(at);
  const testing::TemporaryFolder copy;  // as a killed process leaves it
  std::filesystem::copy(at.folder.path(), copy.path());
  const std::string journal = named(copy.path(), "journal-");
  REQUIRE(check(copy.path()).totals.findings == 0);
  constexpr std::uint64_t kInTheFirstPage = 32 + 24 + 100;
  overwrite(copy.path() / (journal + "-wal"), kInTheFirstPage, "!");
  const Outcome outcome = check(copy.path());
  const auto of_log = std::find_if(outcome.findings.begin(), outcome.findings.end(), [](const auto& finding) {
    return finding.what.find("write-ahead log") != std::string::npos;
  });
  REQUIRE(of_log != outcome.findings.end());
  CHECK(of_log->file == journal);
  CHECK(of_log->what.find("behind damage at byte 32, and the next start loses what the damage hit") !=
        std::string::npos);
}

TEST_CASE("Files that are missing, left behind or cut off are found") {
  const Closed folder;
  const auto raw = folder.path() / named(folder.path(), "raw-20231115");
  SECTION("missing") {
    std::filesystem::remove(raw);
    const Outcome outcome = check(folder.path());
    REQUIRE(outcome.findings.size() == 1);
    CHECK_THAT(outcome.findings[0].what, Catch::Contains("it is missing"));
  }
  SECTION("missing, but for its logs") {
    std::ofstream(raw.string() + "-wal") << "log";
    std::ofstream(raw.string() + "-shm") << "log";
    std::filesystem::remove(raw);
    const Outcome outcome = check(folder.path());
    REQUIRE(outcome.findings.size() == 1);
    CHECK(outcome.findings[0].file == raw.filename());
    CHECK_THAT(outcome.findings[0].what, Catch::Contains("it is missing"));
  }
  SECTION("left behind") {
    std::filesystem::copy_file(raw, folder.path() / "raw-20200101-99.db");
    std::filesystem::create_directory(folder.path() / "lost+found");
    const Outcome outcome = check(folder.path());
    REQUIRE(outcome.findings.size() == 1);
    CHECK(outcome.findings[0].file == "raw-20200101-99.db");
  }
  SECTION("cut off") {
    std::filesystem::resize_file(raw, std::filesystem::file_size(raw) / 2);
    CHECK_FALSE(check(folder.path()).findings.empty());
  }
  SECTION("the index") {
    overwrite(folder.path() / "history.db", 0, std::string(200, '\0'));
    const Outcome outcome = check(folder.path());
    REQUIRE(outcome.findings.size() == 1);
    CHECK_THAT(outcome.findings[0].what, Catch::Contains("restore a backup"));
  }
}

TEST_CASE(
    "A file that was removed while nobody had the folder open is named by checks until the next start") {
  Closed folder;
  const auto raw = folder.path() / named(folder.path(), "raw-20231115");
  std::filesystem::remove(raw);
  const auto findings = [&] {
    const auto open = testing::open_history(folder.at.options());
    std::vector<CheckFinding> found;
    CheckCallbacks callbacks;
    callbacks.found = [&](const CheckFinding& finding) { found.push_back(finding); };
    const auto totals = open->history->check({}, callbacks).value();
    CHECK(totals.findings == found.size());
    CHECK(open->history->stats().missing_files == found.size());
    return found;
  };
  const auto found = findings();
  REQUIRE(found.size() == 1);
  CHECK(found[0].file == raw.filename());
  CHECK_THAT(found[0].what, Catch::Contains("missing or empty at the last start"));
  CHECK(findings().empty());  // the status forgets it then, too
}

TEST_CASE("A check can be ended") {
  const Closed folder;
  CheckCallbacks callbacks;
  callbacks.progress = [](std::uint64_t, std::uint64_t, const std::string&) { return false; };
  const auto ended = check_files({folder.path(), "", {}}, callbacks);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == Errc::unavailable);
}

TEST_CASE("A damaged file that somebody removed is forgotten at the next start") {
  Closed folder;
  const std::string minute = named(folder.path(), "minute-");
  run_sql(folder.path() / "history.db", "UPDATE file SET form=5 WHERE kind=1");
  { const auto open = testing::open_history(folder.at.options()); }
  CHECK(check(folder.path()).findings.size() == 1);
  std::filesystem::remove(folder.path() / minute);
  { const auto open = testing::open_history(folder.at.options()); }
  for (const CheckFinding& finding : check(folder.path()).findings)
    FAIL_CHECK(finding.file << ": " << finding.what);
}

}  // namespace vigil::aggregator
