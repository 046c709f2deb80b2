// Folders of the first form, in which history.db held journal and blocks, become folders of today's, also
// when the power goes at any instant of it.
#include "aggregator/store/encoding.h"
#include "aggregator/store/migrations.h"
#include "tests/aggregator/store/machine.h"

#include <fstream>
#include <sstream>

namespace vigil::aggregator {
namespace {

using namespace testing;

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kDay = 19'675 * kDayMs;

std::string group_of(std::uint64_t first, std::uint64_t last) {
  std::string plain;
  for (std::uint64_t seq = first; seq <= last; ++seq) append_batch(make_batch(0, seq), plain);
  return seal_group(plain);
}

/// history.db as the first form wrote it: one host, four blocks of two days, two groups, one gap.
DiskImage first_form(bool damaged = false) {
  const TemporaryFolder folder;
  const std::string path = folder.path() / "history.db";
  std::ofstream(path).close();
  {
    auto database = Database::open(path, Access::read_write, "");
    REQUIRE(database);
    const std::string tables =
        index_format().steps.at(0) +
        fmt::format("PRAGMA user_version=1; PRAGMA application_id={};", index_format().application_id);
    REQUIRE(database->execute(tables.c_str()));
    const HostRecord host = make_host(0);
    const auto put = [&](const char* sql, auto&&... values) {
      auto statement = database->prepare(sql);
      REQUIRE(statement);
      REQUIRE(statement->run(values...));
    };
    put("INSERT INTO host VALUES(0,?,?,?,?,?,?,?,?,0,0)", std::string_view(host.name), Blob{host.machine_id},
        std::string_view(host.boot_id), std::string_view(host.agent_version),
        Blob{encode_labels(host.labels)}, host.first_seen_ms, host.last_seen_ms,
        std::int64_t{host.interval_ms});
    put("INSERT INTO source VALUES(1,?,1000)", std::string_view("node"));
    for (SeriesId id = 0; id < 3; ++id) {
      const SeriesRecord series = make_series(id);
      put("INSERT INTO series VALUES(0,?,1,?,?,1,0,2)", std::int64_t{id}, std::string_view(series.spec.name),
          Blob{encode_labels(series.spec.labels)});
    }
    std::int64_t number = 1;
    for (const std::int64_t first : {kDay - 240'000, kDay - 120'000, kDay, kDay + 120'000}) {
      const auto block = make_sealed(first, 120);
      std::string bytes = block->bytes();
      if (damaged && number == 2) bytes[bytes.size() / 2] = static_cast<char>(~bytes[bytes.size() / 2]);
      put("INSERT INTO block VALUES(?,?)", number, Blob{bytes});
      put("INSERT INTO block_index VALUES(0,1,?,?,0,2,?,?,?)", block->first_ms(), block->last_ms(),
          static_cast<std::int64_t>(block->samples()), static_cast<std::int64_t>(bytes.size()), number);
      ++number;
    }
    put("INSERT INTO journal VALUES(1,?)", Blob{group_of(1, 3)});
    put("INSERT INTO journal VALUES(2,?)", Blob{group_of(4, 5)});
    put("INSERT INTO gap VALUES(0,1000,2000,?)", std::string_view("buffer_full"));
  }
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return {{"history.db", bytes.str()}};
}

void check(const SimulatedDisk& disk, const HistoryModel& model, std::size_t blocks) {
  const auto open = open_history(options_of(disk, model));
  REQUIRE(open->recovered.hosts.size() == 1);
  CHECK(open->recovered.hosts[0].host == make_host(0));
  REQUIRE(open->recovered.hosts[0].series.size() == 3);
  CHECK(open->recovered.hosts[0].series[2] == make_series(2));
  REQUIRE(open->replayed.size() == 5);
  for (std::uint64_t seq = 1; seq <= 5; ++seq) CHECK(open->replayed[seq - 1] == make_batch(0, seq));
  const auto read = open->history->read(0, {}, 0, kDay * 2);
  REQUIRE(read);
  REQUIRE(read->size() == blocks);
  CHECK((*read)[0]->bytes() == make_sealed(kDay - 240'000, 120)->bytes());
  CHECK(open->history->gaps(0, 0, kDay).value().size() == 1);
  CHECK(open->history->stats().samples == blocks * 120 * 3);
  const auto files = open->history->files();
  CHECK(std::ranges::count_if(files, [](const FileStats& file) { return file.kind == "raw"; }) == 2);
}

}  // namespace

TEST_CASE("A folder of the first form is brought into today's, with all it holds, once") {
  const HistoryModel model;
  const SimulatedDisk disk(first_form());
  for (int start = 0; start < 3; ++start) check(disk, model, 4);
}

TEST_CASE("A damaged block of the first form is lost alone") {
  const HistoryModel model;
  const SimulatedDisk disk(first_form(true));
  check(disk, model, 3);
}

TEST_CASE("The power may go at any instant while the form changes") {
  const HistoryModel model;
  SimulatedDisk disk(first_form());
  std::vector<DiskState> states;
  disk.observe([&states](const DiskState& state) { states.push_back(state); });
  { const auto open = open_history(options_of(disk, model)); }
  disk.observe(nullptr);
  REQUIRE(states.size() > 20);
  std::uint64_t seed = 0;
  for (const DiskState& state : states) {
    const Damage damage = kDamages.at(++seed % kDamages.size());
    INFO("change " << seed << ", " << to_string(damage));
    const SimulatedDisk after(after_power_cut(state, damage, seed));
    check(after, model, 4);
  }
}

}  // namespace vigil::aggregator
