#include "aggregator/store/check.h"

#include "aggregator/store/check_parts.h"
#include "aggregator/store/encoding.h"
#include "aggregator/store/files.h"
#include "aggregator/store/wal.h"

#include <algorithm>

namespace vigil::aggregator {
namespace checks {
namespace {

constexpr std::uint64_t kFindingsPerFile = 100;

bool holds_data(FileForm form) {
  return form == FileForm::open || form == FileForm::finished || form == FileForm::compacted;
}

/// "raw-20261122-7.db" of "raw-20261122-7.db-wal"; empty: not a database.
std::string database_of(const std::string& name) {
  for (const std::string_view suffix : {"-wal", "-shm", "-journal", ""}) {
    if (!name.ends_with(suffix)) continue;
    const std::string stem = name.substr(0, name.size() - suffix.size());
    return stem.ends_with(".db") ? stem : std::string();
  }
  return {};
}

/// Also those of which only a log is left.
Result<std::set<std::string>> databases_in(const std::filesystem::path& directory) {
  std::set<std::string> found;
  std::error_code error;
  auto entry = std::filesystem::directory_iterator(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) continue;
    if (auto name = database_of(entry->path().filename()); !name.empty()) found.insert(std::move(name));
  }
  if (error) return fail_errno(error.value(), "read " + directory.string());
  return found;
}

/// Files come and go while we look: what is missing or unknown must be so in a second look, too.
Result<void> compare_folder(Check& check, const std::set<std::string>& before) {
  const auto index = read_index(check.scope());
  if (!index) return index.error();
  const auto now = databases_in(check.scope().directory);
  if (!now) return now.error();
  const auto again = read_index(check.scope());
  if (!again) return again.error();
  for (const std::string& name : before) {
    const bool ours = name == kIndexFile || std::ranges::count(check.scope().also, name) > 0;
    if (ours || index->files.contains(name) || !now->contains(name)) continue;
    check.begin_file(name);
    check.found("the index does not know this file: nothing reads it. Copied or left behind? Move it away");
  }
  for (const std::string& name : check.scope().gone) {
    check.begin_file(name);
    check.found("it was missing or empty at the last start: what it held is lost");
  }
  for (const auto& [name, file] : index->files) {
    const auto still = again->files.find(name);
    if (still == again->files.end() || still->second.form != file.form) continue;
    check.begin_file(name);
    if (file.form == FileForm::damaged)
      check.found("SQLite could not read it at a start, and it was set aside: what it held is not shown");
    const bool needed = holds_data(file.form) && (file.form != FileForm::open || file.filled);
    if (!needed || database_exists(check.scope().directory / name, check.scope().vfs)) continue;
    check.found(now->contains(name) ? "it is missing, and with it what it held; its log is still there"
                                    : "it is missing, and with it what it held");
  }
  return {};
}

/// What lies behind damage is still read by a process that has the log open, and by no other.
void check_log(Check& check, const std::string& name, FileKind kind) {
  const bool synced =
      kind == FileKind::journal || name == kIndexFile || std::ranges::count(check.scope().also, name) > 0;
  if (!synced) return;  // what the log of a partition lacks is in the journal
  const auto damage = find_wal_damage(check.scope().directory / name, check.scope().vfs);
  if (!damage) return check.found(damage.error().message);
  if (!*damage) return;
  check.found(fmt::format("its write-ahead log is damaged: {}, and the next start {}", to_text(**damage),
                          kind == FileKind::journal ? "loses what the damage hit" : "loses what they hold"));
}

void check_file(Check& check, const std::string& name, const StoredFile& file, const Index& index) {
  check.begin_file(name);
  if (!database_exists(check.scope().directory / name, check.scope().vfs)) return;  // compare_folder() tells
  ++check.totals().files;
  check_log(check, name, file.kind);
  if (file.kind == FileKind::journal)
    check_journal(check, name);
  else
    check_partition(check, file, index);
  check.end_file();
}

void check_databases(Check& check) {
  std::vector<std::string> names = check.scope().also;
  names.insert(names.begin(), kIndexFile);
  for (const std::string& name : names) {
    const auto path = check.scope().directory / name;
    if (!database_exists(path, check.scope().vfs)) continue;
    check.begin_file(name);
    ++check.totals().files;
    check_log(check, name, FileKind::raw);
    auto database = begin_reading(path, check.scope().vfs);
    if (!database) {
      check.found(database.error().message);
      continue;
    }
    quick_check(check, *database);
    if (name == kIndexFile) check_index(check, *database);
    check.end_file();
  }
}

}  // namespace

Result<Database> begin_reading(const std::filesystem::path& path, const std::string& vfs) {
  auto database = Database::open(path, Access::read_only, vfs);
  if (!database) return database;
  // Sorting may need more than memory should give.
  auto begun = database->execute("PRAGMA temp_store=FILE; BEGIN;");
  if (!begun) return begun.error();
  const auto tables = database->integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  return database;
}

void Check::begin_file(const std::string& name) {
  file_ = name;
  file_bytes_ = database_bytes(scope_.directory / name);
  file_read_ = 0;
  file_findings_ = 0;
}

bool Check::advance(std::uint64_t bytes) {
  file_read_ = std::min(file_read_ + bytes, file_bytes_);
  if (callbacks_.progress && !callbacks_.progress(done_bytes_ + file_read_, total_bytes_, file_))
    ended_ = true;
  return !ended_;
}

void Check::end_file() {
  done_bytes_ += file_bytes_;
  totals_.bytes += file_bytes_;
  if (file_findings_ <= kFindingsPerFile || !callbacks_.found) return;
  callbacks_.found({file_, {}, {}, 0, 0, fmt::format("and {} more", file_findings_ - kFindingsPerFile)});
}

void Check::found(CheckFinding finding) {
  finding.file = file_;
  ++totals_.findings;
  if (++file_findings_ <= kFindingsPerFile && callbacks_.found) callbacks_.found(finding);
}

void quick_check(Check& check, Database& database) {
  auto look = database.prepare("PRAGMA quick_check(20)");
  if (!look) return check.found(look.error().message);
  auto more = look->step();
  for (; more && *more; more = look->step()) {
    std::string said(look->bytes(0));
    if (said == "ok") continue;
    std::replace(said.begin(), said.end(), '\n', ' ');
    const bool checksum = said.find(fmt::format("{}", SQLITE_IOERR_DATA)) != std::string::npos;
    check.found(
        fmt::format("SQLite says: {}{}", said, checksum ? " (the checksum of a page does not fit it)" : ""));
  }
  if (!more) check.found(more.error().message);
}

}  // namespace checks

Result<CheckTotals> check_files(const CheckScope& scope, const CheckCallbacks& callbacks) {
  checks::Check check(scope, callbacks);
  const auto present = checks::databases_in(scope.directory);
  if (!present) return present.error();
  std::uint64_t bytes = 0;
  for (const std::string& name : *present) bytes += database_bytes(scope.directory / name);
  check.set_total_bytes(bytes);

  const auto index = checks::read_index(scope);
  if (!index) {
    check.begin_file(kIndexFile);
    check.found(
        fmt::format("the index of everything cannot be read: restore a backup. {}", index.error().message));
    return check.totals();
  }
  for (const auto& [name, file] : index->files) {
    if (checks::holds_data(file.form)) checks::check_file(check, name, file, *index);
    if (check.ended()) return fail(Errc::unavailable, "cancelled");
  }
  // After the partitions: hosts and sources they name must be there by now.
  checks::check_databases(check);
  if (auto compared = checks::compare_folder(check, *present); !compared) return compared.error();
  return check.totals();
}

}  // namespace vigil::aggregator
