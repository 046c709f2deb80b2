// A copy of the running history, through its public face.
#include "tests/aggregator/store/day_fixture.h"

#include <algorithm>
#include <fstream>

namespace vigil::aggregator {
namespace {

using testing::DayFolder;
using testing::kSomeDay;
using testing::make_batch;
using testing::named;
using testing::open_after_a_day;
using testing::open_history;
using testing::put_slots;
using testing::TemporaryFolder;
using testing::times_of;

/// What whoever restores it gets.
void copy_into(const Snapshot& snapshot, const std::filesystem::path& folder) {
  for (const SnapshotFile& file : snapshot.files()) {
    REQUIRE(!file.known);
    std::filesystem::copy_file(file.path, folder / file.name);
    CHECK(std::filesystem::file_size(folder / file.name) == file.bytes);
  }
}

std::vector<KnownFile> known_of(const Snapshot& snapshot) {
  std::vector<KnownFile> known;
  for (const SnapshotFile& file : snapshot.files())
    known.push_back({file.name, file.bytes, file.modified_ns});
  return known;
}

std::set<std::string> names_of(const Snapshot& snapshot, bool known) {
  std::set<std::string> names;
  for (const SnapshotFile& file : snapshot.files()) {
    if (file.known == known) names.insert(file.name.substr(0, file.name.rfind('-')));
  }
  return names;
}

}  // namespace

TEST_CASE(
    "A snapshot has all that was committed before it, and nothing of what is committed while it is copied") {
  DayFolder at;
  const auto open = open_after_a_day(at);
  History& history = *open->history;
  const auto before = times_of(history);
  bool written = false;
  SnapshotRequest request;
  request.progress = [&](std::uint64_t, std::uint64_t, const std::string&) {
    if (!std::exchange(written, true)) {
      put_slots(history, kSomeDay + kDayMs + 7'200'000, 3);
      CHECK(history.journal(make_batch(0, 4)));
      CHECK(history.tidy());  // checkpoints, as far as the snapshot lets them
    }
    return true;
  };
  const auto snapshot = history.snapshot(std::move(request));
  REQUIRE(snapshot);
  CHECK(written);
  CHECK((*snapshot)->time_ms() == at.now_ms);
  TemporaryFolder copy;
  copy_into(**snapshot, copy.path());

  HistoryOptions options = testing::test_options(copy.path());
  options.now_ms = [&] { return at.now_ms; };
  const auto restored = open_history(options);
  CHECK(times_of(*restored->history) == before);
  CHECK(times_of(history).size() == before.size() + 3 * 120);
  std::vector<std::uint64_t> batches;
  for (const JournalEntry& entry : restored->replayed) {
    if (entry.kind == EntryKind::batch) batches.push_back(entry.seq);
  }
  CHECK(batches == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(restored->recovered.hosts.at(0).series.size() == 3);
  CHECK(restored->recovered.hosts.at(0).cursors.at(0).sealed_seq == 1);
  CHECK(restored->history->stats().tiers[1].samples == history.stats().tiers[1].samples);
  CHECK(restored->history->check({}, {}).value().findings == 0);
}

TEST_CASE("What is no file of the history is copied beside it, under its name in the data folder") {
  DayFolder at;
  const auto open = open_after_a_day(at);
  SnapshotRequest request;
  request.copy_more = [](const std::filesystem::path& folder) -> Result<std::vector<std::string>> {
    std::filesystem::create_directory(folder / "identity");
    std::ofstream(folder / "identity" / "ca.key") << "a key";
    return std::vector<std::string>{"identity/ca.key"};
  };
  auto snapshot = open->history->snapshot(std::move(request));
  REQUIRE(snapshot);
  const SnapshotFile file = (*snapshot)->files().back();
  CHECK(file.name == "identity/ca.key");
  CHECK(file.bytes == 5);
  CHECK(file.modified_ns == 0);
  CHECK(std::filesystem::file_size(file.path) == 5);
  snapshot->reset();
  CHECK_FALSE(std::filesystem::exists(file.path));

  SnapshotRequest failing;
  failing.copy_more = [](const std::filesystem::path&) -> Result<std::vector<std::string>> {
    return fail(Errc::io, "ca.key cannot be read");
  };
  const auto refused = open->history->snapshot(std::move(failing));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("ca.key cannot be read") != std::string::npos);
  CHECK(open->history->snapshot({}));  // and the next one is not held up
}

TEST_CASE("A file that a snapshot shows stays until the snapshot goes") {
  DayFolder at;
  HistoryOptions options = at.options();
  options.keep[0].keep = std::chrono::hours(48);
  { const auto open = open_after_a_day(at); }
  const auto open = open_history(options);
  History& history = *open->history;
  auto snapshot = history.snapshot({});
  REQUIRE(snapshot);
  const auto compacted = at.folder.path() / named(at.folder.path(), "raw-20231115");
  at.now_ms = kSomeDay + 30 * kDayMs;
  put_slots(history, at.now_ms, 1);
  REQUIRE(history.sync());
  REQUIRE(history.tidy());
  CHECK(history.stats().retired_blocks > 0);
  CHECK(times_of(history).front() > kSomeDay + kDayMs);
  CHECK(std::filesystem::exists(compacted));
  TemporaryFolder copy;
  copy_into(**snapshot, copy.path());

  snapshot->reset();
  REQUIRE(history.sync());
  CHECK_FALSE(std::filesystem::exists(compacted));
  CHECK(history.check({}, {}).value().findings == 0);
}

TEST_CASE("What the client has already and is still the same need not be copied") {
  DayFolder at;
  const auto open = open_after_a_day(at);
  History& history = *open->history;
  auto first = history.snapshot({});
  REQUIRE(first);
  const auto known = known_of(**first);
  first->reset();

  SnapshotRequest request;
  request.known = known;
  auto second = history.snapshot(request);
  REQUIRE(second);
  CHECK(names_of(**second, true) == std::set<std::string>{"raw-20231115", "minute-202311", "hour-2023"});
  CHECK(names_of(**second, false) == std::set<std::string>{"history.db", "raw-20231116", "journal"});
  second->reset();

  // The same name with another content: an older state was restored, and its numbers are given again.
  for (KnownFile& file : request.known) file.modified_ns -= 1'000'000'000;
  const auto third = history.snapshot(request);
  REQUIRE(third);
  CHECK(names_of(**third, true).empty());
}

TEST_CASE("A tier that has grown since is copied again") {
  DayFolder at;
  const auto open = open_after_a_day(at);
  History& history = *open->history;
  SnapshotRequest request;
  request.known = known_of(**history.snapshot({}));
  at.now_ms += kDayMs;
  REQUIRE(history.tidy());
  const auto second = history.snapshot(request);
  REQUIRE(second);
  CHECK(names_of(**second, true) == std::set<std::string>{"raw-20231115"});
}

TEST_CASE("There is one snapshot at a time, and one that was given up leaves nothing behind") {
  DayFolder at;
  const auto open = open_after_a_day(at);
  History& history = *open->history;
  SnapshotRequest impatient;
  impatient.progress = [](std::uint64_t, std::uint64_t, const std::string&) { return false; };
  const auto given_up = history.snapshot(impatient);
  REQUIRE_FALSE(given_up);
  CHECK(given_up.error().code == Errc::unavailable);
  REQUIRE(history.sync());
  CHECK_FALSE(std::filesystem::exists(at.folder.path() / "backup.tmp"));

  auto snapshot = history.snapshot({});
  REQUIRE(snapshot);
  const auto second = history.snapshot({});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::conflict);
  for (const SnapshotFile& file : (*snapshot)->files()) CHECK(std::filesystem::exists(file.path));
  snapshot->reset();
  REQUIRE(history.sync());
  CHECK(history.snapshot({}));
}

TEST_CASE("A start removes the copies of a backup that a crash broke off") {
  DayFolder at;
  std::filesystem::create_directories(at.folder.path() / "backup.tmp");
  std::ofstream(at.folder.path() / "backup.tmp" / "history.db") << "half";
  const auto open = open_history(at.options());
  CHECK_FALSE(std::filesystem::exists(at.folder.path() / "backup.tmp"));
}

}  // namespace vigil::aggregator
