#include "aggregator/store/journal.h"

#include "aggregator/store/encoding.h"
#include "aggregator/store/files.h"
#include "aggregator/store/folder.h"
#include "aggregator/store/migrations.h"
#include "aggregator/store/wal.h"

#include <map>
#include <utility>

namespace vigil::aggregator {
namespace {

constexpr const char* kModes =
    "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF; "
    "PRAGMA cache_size=-2000;";
constexpr const char* kForwards = "SELECT id, entries FROM entry_group ORDER BY id";
constexpr const char* kBackwards = "SELECT id, entries FROM entry_group ORDER BY id DESC";

Result<void> read_groups(Database& database, const char* sql,
                         const std::function<void(std::int64_t id, std::string_view group)>& visit) {
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*tables == 0) return {};  // made, but nothing was committed
  auto read = database.prepare(sql);
  if (!read) return read.error();
  auto more = read->step();
  for (; more && *more; more = read->step()) visit(read->integer(0), read->bytes(1));
  if (!more) return more.error();
  return {};
}

bool is_sound(std::string_view group) {
  return read_group(group, [](const EntryView&) {}).has_value();
}

}  // namespace

std::filesystem::path Journal::path(std::int64_t number) const {
  return folder_ / fmt::format("journal-{}.db", number);
}

Result<void> Journal::begin_file(std::int64_t number) {
  close();
  const auto file = path(number);
  if (auto made = make_private_file(file); !made) return made;
  auto database = Database::open(file, Access::read_write, vfs_);
  if (!database) return database.error();
  if (auto set = database->execute(kModes); !set)
    return fail(set.error().code, "{}: {}", file.string(), set.error().message);
  if (auto made = migrate(*database, journal_format(), file.string()); !made) return made;
  auto insert = database->prepare("INSERT INTO entry_group(entries) VALUES(?)");
  if (!insert) return insert.error();
  database_ = std::move(*database);
  insert_ = std::move(*insert);
  number_ = number;
  bytes_ = 0;
  return {};
}

Result<void> Journal::begin() {
  transaction_bytes_ = 0;
  return database_->execute("BEGIN IMMEDIATE");
}

Result<void> Journal::put_group(std::string_view group) {
  transaction_bytes_ += group.size();
  return insert_->run(Blob{group});
}

Result<void> Journal::commit() {
  auto done = database_->execute("COMMIT");
  if (done) bytes_ += transaction_bytes_;
  return done;
}

void Journal::rollback() {
  if (database_) (void)database_->execute("ROLLBACK");
}

Result<void> Journal::each_group(std::int64_t number, const Visit& visit) const {
  const auto file = path(number);
  const auto images = images_behind_damage(file, vfs_);
  if (!images) return images.error();
  if (!images->empty()) return each_salvaged(file, *images, visit);
  // For writing, because only such a connection may recover the WAL of a process that was killed.
  auto database = Database::open(file, Access::read_write, vfs_);
  if (!database) return database.error();
  if (auto known = check_format(*database, journal_format(), file.string()); !known) return known;
  auto read = read_groups(*database, kForwards, [&](std::int64_t, std::string_view group) { visit(group); });
  if (!read) return fail(read.error().code, "{}: {}", file.string(), read.error().message);
  return read;
}

/// Where the log is damaged: each group from whatever still has it whole, the log as SQLite sees it or as it
/// may have been. What is in none of them is visited as what is left of it, or as an empty one.
Result<void> Journal::each_salvaged(const std::filesystem::path& file, const std::vector<std::string>& images,
                                    const Visit& visit) const {
  std::map<std::int64_t, std::string> groups;
  const auto keep = [&](std::int64_t id, std::string_view group) {
    std::string& kept = groups[id];
    if (kept.empty() || !is_sound(kept)) kept = group;
  };
  // From both ends: damage ends the reading.
  const auto take = [&](Result<Database> database) -> Result<void> {
    if (!database) return database.error();
    if (auto known = check_format(*database, journal_format(), file.string()); !known) return known;
    auto forwards = read_groups(*database, kForwards, keep);
    auto backwards = read_groups(*database, kBackwards, keep);
    return forwards ? backwards : forwards;
  };
  const auto is_damage = [](const Result<void>& read) { return read || read.error().code == Errc::corrupt; };
  if (auto read = take(Database::open(file, Access::read_write, vfs_)); !is_damage(read)) return read;
  for (const std::string& image : images) {
    auto read = take(Database::of_image(image));
    // Of a file whose format is known, an image that says another one is what the damage made.
    const bool misread = !read && read.error().code == Errc::unsupported && !groups.empty();
    if (!is_damage(read) && !misread) return read;
  }
  std::int64_t expected = 1;
  for (const auto& [id, group] : groups) {
    if (std::exchange(expected, id + 1) != id) visit({});
    visit(group);
  }
  if (groups.empty()) visit({});
  return {};
}

Result<void> Journal::remove(std::int64_t number) const {
  return remove_database(path(number), vfs_);
}

void Journal::close() {
  insert_.reset();
  database_.reset();
  number_ = 0;
}

}  // namespace vigil::aggregator
