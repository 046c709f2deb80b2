#include "aggregator/store/copy_database.h"

#include "aggregator/store/folder.h"
#include "aggregator/store/page_checksums.h"

namespace vigil::aggregator {
namespace {

constexpr int kPagesPerStep = 256;
constexpr std::uint64_t kPageBytes = 4096;  // of all our files

struct EndBackup {
  void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};

}  // namespace

Result<void> copy_database(Database& from, const std::filesystem::path& to,
                           const std::function<bool(std::uint64_t)>& progress) {
  if (auto made = make_private_file(to); !made) return made;
  auto target = Database::open(to, Access::read_write, "");
  if (!target) return target.error();
  if (auto set = target->execute("PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;"); !set) return set;
  if (has_page_checksums(from.handle())) {
    if (auto kept = keep_page_checksums(target->handle()); !kept) return kept;
  }
  const std::unique_ptr<sqlite3_backup, EndBackup> backup(
      sqlite3_backup_init(target->handle(), "main", from.handle(), "main"));
  if (!backup) return sqlite_error(target->handle(), "copy to " + to.string());
  int code = SQLITE_OK;
  while (code == SQLITE_OK) {
    code = sqlite3_backup_step(backup.get(), kPagesPerStep);
    const int pages = sqlite3_backup_pagecount(backup.get()) - sqlite3_backup_remaining(backup.get());
    if (!progress(static_cast<std::uint64_t>(pages) * kPageBytes))
      return fail(Errc::unavailable, "cancelled");
  }
  if (code == SQLITE_IOERR_DATA || (code & 0xFF) == SQLITE_CORRUPT)
    return fail(Errc::corrupt, "{}: a page is damaged, and cannot be copied",
                sqlite3_db_filename(from.handle(), "main"));
  if (code != SQLITE_DONE) return sqlite_error(target->handle(), "copy to " + to.string());
  return {};
}

}  // namespace vigil::aggregator
