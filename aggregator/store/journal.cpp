#include "aggregator/store/journal.h"

#include "aggregator/store/files.h"
#include "aggregator/store/folder.h"
#include "aggregator/store/migrations.h"

namespace vigil::aggregator {
namespace {

constexpr const char* kModes =
    "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF; "
    "PRAGMA cache_size=-2000;";

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

Result<void> Journal::each_group(std::int64_t number,
                                 const std::function<void(std::string_view)>& visit) const {
  const auto file = path(number);
  // For writing, because only such a connection may recover the WAL of a process that was killed.
  auto database = Database::open(file, Access::read_write, vfs_);
  if (!database) return database.error();
  const auto tables = database->integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return fail(tables.error().code, "{}: {}", file.string(), tables.error().message);
  if (*tables == 0) return {};  // made, but nothing was committed
  auto read = database->prepare("SELECT entries FROM entry_group ORDER BY id");
  if (!read) return fail(read.error().code, "{}: {}", file.string(), read.error().message);
  auto more = read->step();
  for (; more && *more; more = read->step()) visit(read->bytes(0));
  if (!more) return fail(more.error().code, "{}: {}", file.string(), more.error().message);
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
