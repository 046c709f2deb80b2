// Files of a newer vigil, or of another program: a start is refused before it changes anything, so that a
// downgrade costs nothing.
#include "aggregator/store/history.h"
#include "aggregator/store/sqlite.h"
#include "tests/aggregator/store/folder_fixture.h"

#include <fstream>
#include <iterator>
#include <map>

namespace vigil::aggregator {
namespace {

using testing::make_batch;
using testing::make_host;
using testing::make_sealed;
using testing::make_series;
using testing::open_history;
using testing::TemporaryFolder;
using testing::test_options;
using testing::try_open_history;

const SourceKey kNode{"node", 1000};

void run_sql(const std::filesystem::path& file, const std::string& sql) {
  auto database = Database::open(file, Access::read_write, "");
  REQUIRE(database);
  REQUIRE(database->execute(sql.c_str()));
}

/// A batch in the journal, and a block.
void fill(const std::filesystem::path& folder) {
  const auto open = open_history(test_options(folder));
  REQUIRE(open->history->put_host(make_host(0)));
  REQUIRE(open->history->put_series(0, {make_series(0), make_series(1), make_series(2)}));
  REQUIRE(open->history->seal(0, {{kNode, make_sealed(0, 120)}}, {}));
  REQUIRE(open->history->journal(make_batch(0, 1)));
  REQUIRE(open->history->sync());
}

std::filesystem::path file_of(const std::filesystem::path& folder, const std::string& prefix) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(prefix) && name.ends_with(".db")) return entry.path();
  }
  FAIL("no file " << prefix);
  return {};
}

/// By name, but for what holds no data: the lock, and indexes of logs.
std::map<std::string, std::string> contents(const std::filesystem::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name == "lock" || name.ends_with("-shm")) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    found[name].assign(std::istreambuf_iterator<char>(file), {});
  }
  return found;
}

}  // namespace

TEST_CASE("A start with a file of a newer format or of another program is refused, and changes nothing") {
  const TemporaryFolder folder;
  fill(folder.path());
  // An older index, too: it would be brought to today's format.
  const auto index = folder.path() / "history.db";
  run_sql(index, "DROP TABLE series_gone; PRAGMA user_version=3");
  const std::string prefix = GENERATE("history", "journal-", "raw-");
  const auto path = file_of(folder.path(), prefix);
  const bool newer = GENERATE(true, false);
  run_sql(path, newer ? "PRAGMA user_version=99" : "PRAGMA application_id=1");
  // As another program leaves it: its log in the file. And as a killed process does.
  if (GENERATE(true, false)) run_sql(path, "PRAGMA wal_checkpoint(TRUNCATE)");
  CAPTURE(path.string(), newer);

  const auto before = contents(folder.path());
  const auto refused = try_open_history(test_options(folder.path()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::unsupported);
  const std::string& said = refused.error().message;
  CAPTURE(said);
  CHECK(said.starts_with(path.string()));
  CHECK(said.find(newer ? "format 99, this program knows formats up to" : "belongs to another program") !=
        std::string::npos);
  CHECK(said.find(newer ? "start the newer vigil-aggregator" : "move it away") != std::string::npos);
  CHECK(said.find("Nothing was changed") != std::string::npos);
  CHECK(contents(folder.path()) == before);
}

TEST_CASE("A journal whose table nobody finds is set aside, not removed once nothing needs it") {
  const TemporaryFolder folder;
  fill(folder.path());
  const auto path = file_of(folder.path(), "journal-");
  run_sql(path, "ALTER TABLE entry_group RENAME TO something");
  for (const std::uint64_t set_aside : {1, 0}) {  // told once, and the file stays
    const auto open = open_history(test_options(folder.path()));
    CHECK(open->replayed.empty());
    CHECK(open->replay_result.damaged_groups == 0);
    CHECK(open->history->stats().damaged_files == set_aside);
    REQUIRE(open->history->seal(0, {{kNode, make_sealed(240'000, 120)}},
                                {{testing::make_stream(0), 2, kNothingNeeded}}));
    REQUIRE(open->history->tidy());
    CHECK(std::filesystem::exists(path));
  }
}

}  // namespace vigil::aggregator
