// A backup as it arrives, lies in its folder and goes back into a data folder.
#include "cli/backup/receiver.h"
#include "cli/backup/restore.h"
#include "common/crc32c.h"
#include "tests/support/catch.h"

#include <sys/stat.h>

#include <fstream>

namespace vigil::cli {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "vigil-backup-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
  fs::path backup() const { return path / "backup"; }
  fs::path data() const { return path / "data"; }
};

/// A file of a running aggregator.
struct Source {
  std::string name;
  std::string content;
  std::int64_t modified_ns = 0;
};

const std::int64_t kTime = 1'795'000'000'000;  // 2026-11-18T11:06:40Z
const std::vector<Source> kSources = {
    {"raw-20261117-3.db", std::string(700'000, 'r'), 1'794'900'000'123'456'789},
    {"minute-202611-4.db", std::string(5'000, 'm'), 1'794'900'000'500'000'001},
    {"journal-9.db", "", 0},
    {"history.db", "the index", 0}};

struct Sent {
  Result<void> result;
  Result<BackupSummary> summary;
};

using Change = std::function<void(v1::BackupPart&)>;

/// What an aggregator with these files sends, and what becomes of it. `parts`: so many of them, then it
/// breaks off.
Sent send(const fs::path& folder, std::int64_t time_ms, const std::vector<Source>& sources,
          std::size_t parts = 1000, const Change& change = {}, std::size_t keep = 1) {
  auto backup = BackupFolder::open(folder);
  REQUIRE(backup);
  Receiver receiver(*backup, [](std::uint64_t, std::uint64_t, const std::string&) {});
  const auto request = receiver.request();
  REQUIRE(request);
  std::vector<v1::BackupPart> all(1);
  auto& plan = *all.front().mutable_plan();
  plan.set_time_ms(time_ms);
  plan.set_version("1.2.3");
  for (const Source& source : sources) {
    auto& file = *plan.add_files();
    file.set_name(source.name);
    file.set_bytes(source.content.size());
    file.set_modified_ns(source.modified_ns);
    for (const auto& known : request->known()) {
      if (source.modified_ns != 0 && known.name() == source.name && known.bytes() == source.content.size() &&
          known.modified_ns() == source.modified_ns)
        file.set_known(true);
    }
    if (file.known()) continue;
    for (std::size_t at = 0; at < source.content.size(); at += 256 << 10)
      all.emplace_back().set_data(source.content.substr(at, 256 << 10));
    all.emplace_back().mutable_file_end()->set_crc32c(crc32c(source.content));
  }
  all.emplace_back().mutable_done();
  Sent sent;
  for (std::size_t i = 0; i < std::min(parts, all.size()) && sent.result; ++i) {
    if (change) change(all[i]);
    sent.result = receiver.take(all[i]);
  }
  sent.summary = receiver.finish();
  if (sent.summary) REQUIRE(backup->prune(keep, sent.summary->set));
  return sent;
}

Result<Restored> restore_to(const Folder& folder, const std::string& set = "") {
  return restore({folder.backup(), set, folder.data()},
                 [](std::uint64_t, std::uint64_t, const std::string&) {});
}

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

fs::path stored(const Folder& folder, const std::string& name) {
  for (const auto& entry : fs::directory_iterator(folder.backup() / "files")) {
    if (entry.path().filename().string().starts_with(name)) return entry.path();
  }
  FAIL("the backup has no " << name);
  return {};
}

}  // namespace

TEST_CASE("What was backed up is restored byte by byte, readable by its owner only") {
  const Folder folder;
  const Sent sent = send(folder.backup(), kTime, kSources);
  REQUIRE(sent.summary);
  CHECK(sent.summary->set == "set-20261118T110640Z");
  CHECK(sent.summary->sent_bytes == 705'009);
  const auto restored = restore_to(folder);
  REQUIRE(restored);
  CHECK(restored->manifest.version == "1.2.3");
  CHECK(names_in(folder.data()).size() == kSources.size() + 1);  // and the lock
  for (const Source& source : kSources) {
    CHECK(contents(folder.data() / source.name) == source.content);
    CHECK((fs::status(folder.data() / source.name).permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    // So that the next backup of the restored aggregator knows them again.
    if (source.modified_ns != 0)
      CHECK(facts_of(folder.data() / source.name)->modified_ns == source.modified_ns);
  }
  CHECK((fs::status(folder.data()).permissions() & fs::perms::all) == fs::perms::owner_all);
}

TEST_CASE("The aggregator's authority comes back into its folder, which nobody else may look into") {
  const Folder folder;
  auto sources = kSources;
  sources.insert(sources.begin() + 2, {"identity/ca.key", "a key", 0});
  sources.push_back({"identity/ca.pem", "its certificate", 0});
  sources.push_back({"identity/identity.db", "who has which certificate", 0});
  REQUIRE(send(folder.backup(), kTime, sources).summary);
  const auto kept = stored(folder, "identity+ca.key.");
  CHECK((fs::status(kept).permissions() & fs::perms::all) ==
        (fs::perms::owner_read | fs::perms::owner_write));
  const auto restored = restore_to(folder);
  REQUIRE(restored);
  CHECK(contents(folder.data() / "identity" / "ca.key") == "a key");
  CHECK(contents(folder.data() / "identity" / "identity.db") == "who has which certificate");
  CHECK(contents(folder.data() / "history.db") == "the index");
  CHECK((fs::status(folder.data() / "identity").permissions() & fs::perms::all) == fs::perms::owner_all);
  constexpr auto kPrivate = fs::perms::owner_read | fs::perms::owner_write;
  for (const auto& entry : fs::directory_iterator(folder.data() / "identity")) {
    INFO(entry.path());
    const bool is_public = entry.path().filename() == "ca.pem";
    CHECK((entry.status().permissions() & fs::perms::all) ==
          (is_public ? kPrivate | fs::perms::group_read | fs::perms::others_read : kPrivate));
  }

  REQUIRE(send(folder.backup(), kTime + 60'000, kSources).summary);
  CHECK_FALSE(fs::exists(kept));  // it went with the set that had it
}

TEST_CASE("Names of files lead nowhere but into the data folder or a folder in it") {
  for (const char* name : {"history.db", "identity/ca.key"}) CHECK(is_file_name(name));
  for (const char* name : {"", "/", "/etc", "a/", "../a", "a/../b", "a/.b", ".a/b", "a/b/c", "a//b", "a+b"})
    CHECK_FALSE(is_file_name(name));
}

TEST_CASE("A restore that fails leaves no folder behind") {
  const Folder folder;
  auto sources = kSources;
  sources.push_back({"identity/ca.key", "a key", 0});
  REQUIRE(send(folder.backup(), kTime, sources).summary);
  // It changes after it was verified.
  const auto restored = restore({folder.backup(), "", folder.data()},
                                [&](std::uint64_t, std::uint64_t, const std::string& what) {
                                  if (what == "restoring identity/ca.key")
                                    std::ofstream(stored(folder, "history.db")) << "an odd one";
                                });
  REQUIRE_FALSE(restored);
  CHECK(names_in(folder.data()).empty());
}

TEST_CASE("The authority is asked for, or not") {
  const Folder folder;
  auto backup = BackupFolder::open(folder.backup());
  REQUIRE(backup);
  const auto ignore = [](std::uint64_t, std::uint64_t, const std::string&) {};
  CHECK(Receiver(*backup, ignore).request()->identity());
  CHECK_FALSE(Receiver(*backup, ignore, Receiver::Identity::left_out).request()->identity());
}

TEST_CASE("A second backup gets only what has changed, and replaces the first set") {
  const Folder folder;
  REQUIRE(send(folder.backup(), kTime, kSources).summary);
  auto sources = kSources;
  sources[3].content = "the index, later";
  const Sent second = send(folder.backup(), kTime + 60'000, sources);
  REQUIRE(second.summary);
  CHECK(second.summary->sent_files == 2);  // the journal and the index
  CHECK(second.summary->sent_bytes == 16);
  CHECK(list_sets(folder.backup()).value() == std::vector<std::string>{"set-20261118T110740Z"});
  CHECK(names_in(folder.backup() / "files").size() == 4);
  REQUIRE(restore_to(folder));
  CHECK(contents(folder.data() / "history.db") == "the index, later");
}

TEST_CASE("A name that is used again for another content does not harm the set that has the first") {
  const Folder folder;
  REQUIRE(send(folder.backup(), kTime, kSources).summary);
  auto sources = kSources;
  sources[0].content = std::string(700'000, 'x');
  sources[0].modified_ns += 1;
  REQUIRE(send(folder.backup(), kTime + 60'000, sources, 3).summary.has_error());
  REQUIRE(restore_to(folder));
  CHECK(contents(folder.data() / "raw-20261117-3.db") == kSources[0].content);
}

TEST_CASE("A backup that breaks off leaves the set before it, and what arrived is not sent again") {
  const Folder folder;
  const std::vector<Source> earlier{{"history.db", "an old index", 0}};
  REQUIRE(send(folder.backup(), kTime - 60'000, earlier).summary);
  const Sent broken =
      send(folder.backup(), kTime, kSources, 6);  // the plan, the first file, and a part of the second
  REQUIRE_FALSE(broken.summary);
  CHECK(broken.summary.error().code == Errc::unavailable);
  const auto older = restore_to(folder);
  REQUIRE(older);
  CHECK(older->set == "set-20261118T110540Z");
  CHECK(contents(folder.data() / "history.db") == "an old index");
  const Sent again = send(folder.backup(), kTime + 1000, kSources);
  REQUIRE(again.summary);
  CHECK(again.summary->sent_bytes == 5'009);
}

TEST_CASE("What arrives damaged, or out of order, makes no set") {
  const Folder folder;
  SECTION("a changed byte") {
    const Sent sent = send(folder.backup(), kTime, kSources, 1000, [](v1::BackupPart& part) {
      if (part.has_data() || !part.data().empty()) (*part.mutable_data())[0] ^= 1;
    });
    REQUIRE_FALSE(sent.result);
    CHECK_THAT(sent.result.error().message, Catch::Contains("raw-20261117-3.db"));
  }
  SECTION("a name that leads elsewhere") {
    const Sent sent = send(folder.backup(), kTime, {{"../evil", "x", 0}});
    REQUIRE_FALSE(sent.result);
    CHECK(names_in(folder.path) == std::vector<std::string>{"backup"});
  }
  SECTION("no plan") {
    const Sent sent =
        send(folder.backup(), kTime, kSources, 1000, [](v1::BackupPart& part) { part.clear_plan(); });
    CHECK_FALSE(sent.result);
  }
  CHECK(list_sets(folder.backup()).value().empty());
}

TEST_CASE("A set of the future does not cost the one just made") {
  const Folder folder;
  const auto early = send(folder.backup(), kTime + 86'400'000, kSources);
  REQUIRE(early.summary);
  const auto late = send(folder.backup(), kTime, kSources);
  REQUIRE(late.summary);
  const auto sets = list_sets(folder.backup());
  REQUIRE(sets);
  CHECK(*sets == std::vector<std::string>{late.summary->set});
}

TEST_CASE("A folder that an aggregator holds, or in which a restore broke off, is left alone") {
  const Folder folder;
  REQUIRE(send(folder.backup(), kTime, kSources).summary);
  fs::create_directories(folder.data());
  {
    const auto held = Lock::take(folder.data() / "lock");
    REQUIRE(held);
    const auto refused = restore_to(folder);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("in use by an aggregator") != std::string::npos);
  }
  std::ofstream(folder.data() / "history.db.partial") << "half";
  const auto refused = restore_to(folder);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("a restore that broke off (history.db.partial)") != std::string::npos);
}

TEST_CASE("Damage in the backup is found before anything is written, and named") {
  const Folder folder;
  REQUIRE(send(folder.backup(), kTime, kSources).summary);
  const fs::path file = stored(folder, GENERATE("raw-", "history.db"));
  SECTION("a flipped byte") {
    std::string bytes = contents(file);
    bytes[bytes.size() / 2] ^= 4;
    std::ofstream(file, std::ios::binary) << bytes;
  }
  SECTION("cut off") {
    fs::resize_file(file, fs::file_size(file) - 1);
  }
  SECTION("gone") {
    fs::remove(file);
  }
  const auto restored = restore_to(folder);
  REQUIRE_FALSE(restored);
  CHECK(restored.error().code == Errc::corrupt);
  CHECK_THAT(restored.error().message, Catch::Contains(file.filename().string()));
  CHECK_FALSE(fs::exists(folder.data()));
}

TEST_CASE("Two files whose pages end with their CRC-32C are told apart, though it is the same for both") {
  const auto page = [](char filling) {
    std::string bytes(4092, filling);
    const std::uint32_t crc = crc32c(bytes);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(crc >> shift);
    return bytes;
  };
  REQUIRE(crc32c(page('a')) == crc32c(page('b')));
  const Folder folder;
  const auto sources = [&](char filling) {
    return std::vector<Source>{{"meta.db", page(filling), 0}, {"history.db", "the index", 0}};
  };
  const Sent first = send(folder.backup(), kTime, sources('a'), 1000, {}, 2);
  const Sent second = send(folder.backup(), kTime + 60'000, sources('b'), 1000, {}, 2);
  REQUIRE(first.summary);
  REQUIRE(second.summary);
  REQUIRE(restore_to(folder, first.summary->set));
  CHECK(contents(folder.data() / "meta.db") == page('a'));

  fs::remove_all(folder.data());
  for (const auto& entry : fs::directory_iterator(folder.backup() / "files")) {
    if (entry.path().filename().string().starts_with("meta.db"))
      std::ofstream(entry.path(), std::ios::binary) << page('c');
  }
  const auto damaged = restore_to(folder);
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().code == Errc::corrupt);
}

namespace {

/// As programs before format 3 left it: the set is of format 2, its files are named by their CRC-32C.
void make_older(const Folder& folder) {
  const std::string set = list_sets(folder.backup()).value().back();
  const auto path = folder.backup() / (set + ".json");
  std::string json = contents(path);
  const auto replace = [&](const std::string& from, const std::string& to) {
    const std::size_t at = json.find(from);
    REQUIRE(at != std::string::npos);
    json.replace(at, from.size(), to);
  };
  replace("\"format\":3", "\"format\":2");
  const auto manifest = read_set(folder.backup(), set);
  REQUIRE(manifest);
  for (const BackedUp& file : manifest->files) {
    const auto stored_at = path_of(folder.backup(), file);
    const std::string crc = fmt::format("{:08x}", crc32c(contents(stored_at)));
    replace("\"sha256\":\"" + file.checksum + "\"", "\"crc32c\":\"" + crc + "\"");
    fs::rename(stored_at, folder.backup() / "files" / (file.name + "." + crc));
  }
  std::ofstream(path, std::ios::trunc) << json;
}

}  // namespace

TEST_CASE("A set of an older program is restored, and what it has of days that are over is not sent again") {
  const Folder folder;
  REQUIRE(send(folder.backup(), kTime, kSources).summary);
  make_older(folder);
  REQUIRE(restore_to(folder));
  for (const Source& source : kSources) CHECK(contents(folder.data() / source.name) == source.content);
  fs::remove_all(folder.data());

  SECTION("its files are named by their content") {
    const Sent next = send(folder.backup(), kTime + 60'000, kSources, 1000, {}, 2);
    REQUIRE(next.summary);
    CHECK(next.summary->sent_files == 2);  // the journal and the index
    REQUIRE(restore_to(folder));
    CHECK(contents(folder.data() / kSources[0].name) == kSources[0].content);
    fs::remove_all(folder.data());
    CHECK(restore_to(folder, "set-20261118T110640Z"));
  }
  SECTION("but not a damaged one") {
    const fs::path damaged = stored(folder, "raw-");
    const auto time = fs::last_write_time(damaged);
    std::ofstream(damaged, std::ios::in | std::ios::binary) << 'x';
    fs::last_write_time(damaged, time);
    const Sent next = send(folder.backup(), kTime + 60'000, kSources);
    REQUIRE(next.summary);
    CHECK(next.summary->sent_files == 3);
    REQUIRE(restore_to(folder));
    CHECK(contents(folder.data() / kSources[0].name) == kSources[0].content);
  }
}

TEST_CASE("A restore writes over nothing, and says what is in its way") {
  const Folder folder;
  REQUIRE(send(folder.backup(), kTime, kSources).summary);
  fs::create_directories(folder.data());
  SECTION("a folder that is not empty") {
    std::ofstream(folder.data() / "notes.txt") << "mine";
    const auto restored = restore_to(folder);
    REQUIRE_FALSE(restored);
    CHECK_THAT(restored.error().message, Catch::Contains("is not empty: move it away"));
    CHECK(names_in(folder.data()) == std::vector<std::string>{"notes.txt"});
  }
  SECTION("an aggregator that runs") {
    const auto lock = Lock::take(folder.data() / "lock");
    const auto restored = restore_to(folder);
    REQUIRE_FALSE(restored);
    CHECK_THAT(restored.error().message, Catch::Contains("in use"));
  }
  SECTION("an empty folder is fine") {
    CHECK(restore_to(folder));
  }
}

TEST_CASE("A set that is not there, or that a newer program made, is told apart") {
  const Folder folder;
  CHECK_FALSE(restore_to(folder));
  REQUIRE(send(folder.backup(), kTime, kSources).summary);
  CHECK_THAT(restore_to(folder, "set-1").error().message, Catch::Contains("there are set-20261118T110640Z"));
  std::ofstream(folder.backup() / "set-20991118T110640Z.json") << R"({"format": 4})";
  CHECK(restore_to(folder).error().code == Errc::unsupported);
  CHECK(restore_to(folder, "set-20261118T110640Z"));
}

TEST_CASE("Two backups into one folder at a time are refused") {
  const Folder folder;
  const auto first = BackupFolder::open(folder.backup());
  REQUIRE(first);
  CHECK(BackupFolder::open(folder.backup()).error().code == Errc::conflict);
}

TEST_CASE("A folder with backups of another aggregator takes none, and says whose they are") {
  const Folder folder;
  const auto of = [](const char* id) {
    return [id](v1::BackupPart& part) {
      if (part.has_plan()) part.mutable_plan()->set_folder_id(id);
    };
  };
  REQUIRE(send(folder.backup(), kTime, kSources, 1000, of("aa")).summary);
  const Sent other = send(folder.backup(), kTime + 60'000, kSources, 1000, of("bb"));
  REQUIRE_FALSE(other.result);
  CHECK(other.result.error().code == Errc::conflict);
  CHECK_THAT(other.result.error().message, Catch::Contains("set-20261118T110640Z is of another aggregator"));
  CHECK(send(folder.backup(), kTime + 60'000, kSources, 1000, of("aa")).summary);
}

TEST_CASE("Two backups within a second are two sets") {
  const Folder folder;
  auto backup = BackupFolder::open(folder.backup());
  REQUIRE(backup);
  const Manifest manifest{kTime, "1", "aa", {{"history.db", 1, std::string(64, '2'), 0}}};
  CHECK(backup->add_set(manifest).value() == "set-20261118T110640Z");
  CHECK(backup->add_set(manifest).value() == "set-20261118T110640Z-002");
  CHECK(backup->add_set(manifest).value() == "set-20261118T110640Z-003");
  CHECK(list_sets(folder.backup()).value().back() == "set-20261118T110640Z-003");
}

TEST_CASE("A set without the index is none, and a data folder is no place for backups") {
  const Manifest manifest{kTime, "1", "aa", {{"raw-20261117-3.db", 1, std::string(64, '2'), 0}}};
  CHECK_THAT(parse_manifest(to_json(manifest)).error().message, Catch::Contains("history.db"));
  const Folder folder;
  fs::create_directories(folder.data());
  std::ofstream(folder.data() / "history.db").close();
  CHECK_THAT(BackupFolder::open(folder.data()).error().message, Catch::Contains("is a data folder"));
}

TEST_CASE("A manifest reads as it was written, and no part of it passes for the whole") {
  const Manifest manifest{
      kTime,
      "1.2.3",
      "00ff",
      {{"history.db", 12, std::string(64, 'a'), 0},
       {"raw-20261117-3.db", 1ULL << 40, std::string(64, '7'), 1'794'900'000'123'456'789}}};
  const std::string json = to_json(manifest);
  const auto parsed = parse_manifest(json);
  REQUIRE(parsed);
  CHECK(parsed->files == manifest.files);
  CHECK(parsed->time_ms == kTime);
  CHECK(parsed->folder_id == "00ff");
  for (std::size_t size = 0; size + 1 < json.size(); ++size)
    CHECK_FALSE(parse_manifest(json.substr(0, size)));
  CHECK(parse_stored_name(stored_name(manifest.files[0])).value().checksum == std::string(64, 'a'));
  CHECK(parse_stored_name("history.db.00abcdef").value().checksum == "00abcdef");
  for (const char* name : {"history.db.00abcdeg", "history.db.00abcde"}) CHECK_FALSE(parse_stored_name(name));
  CHECK_FALSE(parse_stored_name("history.db.partial"));
}

}  // namespace vigil::cli
