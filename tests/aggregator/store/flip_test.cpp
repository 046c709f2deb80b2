// Damage at rest: bytes changed, sectors zeroed, ends cut off, in every file a history has. Nothing that is
// read is ever wrong, what is refused says which file, and what is not near the damage is still read.
//
// Damage in the write-ahead log of the index costs what came after: SQLite leaves that out, and a start says
// so. Of the journal each group is read from wherever it is whole, and what a partition loses is in the
// journal.
#include "tests/aggregator/store/machine.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

using namespace testing;

constexpr int kFlipActs = 300;
constexpr int kTimes = 400;  // per kind of damage, over all files

struct Folder {
  DiskImage image;
  HistoryModel model;
};

enum class End : std::uint8_t { clean, killed };

// A few hundred samples of four hosts, most of them in blocks.
Folder make_folder(End end) {
  Folder folder;
  SimulatedDisk disk;
  {
    const auto open = try_open_history(options_of(disk, folder.model),
                                       [&](const DurableBatch& batch) { folder.model.acknowledge(batch); });
    REQUIRE(open);
    Workload workload(folder.model, 21, Workload::Hosts::stay);
    for (int i = 0; i < kFlipActs; ++i) REQUIRE(workload.act(*(*open)->history));
    REQUIRE((*open)->history->sync());
    folder.model.synced();
    folder.image = after_power_cut(disk.state(), Damage::kept, 0);
  }
  if (end == End::clean) folder.image = after_power_cut(disk.state(), Damage::kept, 0);
  REQUIRE(open_and_check(folder.image, folder.model) == Problems{});
  return folder;
}

using Harm = void (*)(std::string& content, std::mt19937_64& random);

void change_a_byte(std::string& content, std::mt19937_64& random) {
  content[random() % content.size()] ^= static_cast<char>(1 + random() % 255);
}

void zero_a_sector(std::string& content, std::mt19937_64& random) {
  const std::size_t begin = random() % content.size() / kSectorBytes * kSectorBytes;
  const std::size_t size = std::min<std::size_t>(kSectorBytes, content.size() - begin);
  content.replace(begin, size, size, '\0');
}

void cut_off(std::string& content, std::mt19937_64& random) {
  content.resize(random() % content.size());
}

/// What became of the damaged folders.
struct Tally {
  int refused = 0;   // at the start, or by whoever reads
  int intact = 0;    // the damage hit nothing that is used
  int a_little = 0;  // lost: at most a tenth of the samples
  int a_lot = 0;
  int all() const { return refused + intact + a_little + a_lot; }
};

bool any_says(const Problems& problems, std::string_view words) {
  return std::any_of(problems.begin(), problems.end(),
                     [&](const std::string& problem) { return problem.find(words) != std::string::npos; });
}

std::size_t samples_of(const HistoryModel& model) {
  std::size_t samples = 0;
  for (const HostModel& host : model.hosts) {
    for (const SentBatch& batch : host.batches)
      samples += static_cast<std::size_t>(batch.rows) * batch.columns;
  }
  return samples;
}

void open_damaged(const DiskImage& image, const HistoryModel& model, Tally& tally) {
  const SimulatedDisk disk(image);
  const auto open = try_open_history(options_of(disk, model));
  if (!open) {
    ++tally.refused;
    INFO(open.error().message);
    // Or what changed is the number of a file's format.
    REQUIRE((open.error().code == Errc::corrupt || open.error().code == Errc::unsupported));
    REQUIRE(open.error().message.find(disk.folder().string()) != std::string::npos);
    return;
  }
  const Problems problems = check_history(model, **open);
  for (const char* wrong : {"another value", "never sent", "not sent like that", "never put"}) {
    CAPTURE(problems);
    REQUIRE_FALSE(any_says(problems, wrong));
  }
  const auto lost = static_cast<std::size_t>(std::count_if(
      problems.begin(), problems.end(),
      [](const std::string& problem) { return problem.find(" is lost") != std::string::npos; }));
  if (any_says(problems, "malformed")) {
    ++tally.refused;
    REQUIRE(any_says(problems, disk.folder().string()));
  } else if (lost == 0) {
    ++tally.intact;
  } else {
    ++(lost * 10 <= samples_of(model) ? tally.a_little : tally.a_lot);
  }
}

Tally damage_file(const Folder& folder, const std::string& name, Harm harm) {
  std::mt19937_64 random(name.size());
  Tally tally;
  for (int i = 0; i <= kTimes / static_cast<int>(folder.image.size()); ++i) {
    DiskImage image = folder.image;
    harm(image[name], random);
    INFO("time " << i);
    open_damaged(image, folder.model, tally);
  }
  return tally;
}

bool loses_what_follows(const std::string& name) {
  return name == "history.db-wal";
}

/// Its pages have checksums: all of it is read or none.
bool is_whole_or_refused(const std::string& name) {
  return name == "history.db";
}

}  // namespace

TEST_CASE("A damaged file is refused by name or loses what was damaged, and nothing that is read is wrong") {
  const End end = GENERATE(End::clean, End::killed);
  const Folder folder = make_folder(end);
  Tally bytes;
  for (const auto& [name, content] : folder.image) {
    if (content.empty()) continue;
    INFO("file " << name << " of " << content.size() << " bytes");
    const Tally changed = damage_file(folder, name, change_a_byte);
    damage_file(folder, name, zero_a_sector);
    damage_file(folder, name, cut_off);
    if (loses_what_follows(name)) continue;
    if (is_whole_or_refused(name)) {
      CHECK(changed.refused > 0);
      CHECK(changed.a_little + changed.a_lot == 0);
      continue;
    }
    bytes.refused += changed.refused;
    bytes.intact += changed.intact;
    bytes.a_little += changed.a_little;
    bytes.a_lot += changed.a_lot;
  }
  CAPTURE(bytes.refused, bytes.intact, bytes.a_little, bytes.a_lot);
  REQUIRE(bytes.all() > 0);
  CHECK(bytes.refused * 10 <= bytes.all());
  CHECK(bytes.a_lot * 20 <= bytes.all());
  if (end == End::clean) CHECK(bytes.a_little > 0);  // the damage did hit samples
}

}  // namespace vigil::aggregator
