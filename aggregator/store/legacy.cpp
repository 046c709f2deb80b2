#include "aggregator/store/legacy.h"

#include "aggregator/store/files.h"
#include "aggregator/store/journal.h"
#include "common/log/log.h"

#include <map>

namespace vigil::aggregator {
namespace {

class Mover {
 public:
  Mover(Tables& tables, const HistoryOptions& options) : tables_(tables), options_(options) {}

  Result<void> run() {
    if (auto begun = begin_anew(); !begun) return begun;
    if (auto moved = move_blocks(); !moved) return moved;
    if (auto moved = move_journal(); !moved) return moved;
    auto dropped = tables_.database().execute(
        "BEGIN IMMEDIATE; DROP TABLE block; DROP TABLE block_index; DROP TABLE journal; COMMIT; VACUUM;");
    if (!dropped) return dropped;
    log::info("history", "the history was brought into its new form",
              {{"blocks", blocks_}, {"groups", groups_}});
    return {};
  }

 private:
  /// Removes what an attempt before this one has made.
  Result<void> begin_anew() {
    const auto files = tables_.files();
    if (!files) return files.error();
    const Journal journal(options_.directory, options_.vfs);
    for (const StoredFile& file : *files) {
      const auto path = file.kind == FileKind::journal
                            ? journal.path(file.number)
                            : options_.directory / partition_name(Tier::raw, file.period_ms, file.number);
      auto removed = remove_database(path, options_.vfs);
      if (removed) removed = tables_.forget_file(file.number);
      if (!removed) return removed;
    }
    return {};
  }

  Result<Partition*> partition_of(std::int64_t day) {
    const auto found = partitions_.find(day);
    if (found != partitions_.end()) return &found->second;
    const auto number = tables_.add_file({0, FileKind::raw, FileForm::open, day});
    if (!number) return number.error();
    auto opened = Partition::open(options_.directory / partition_name(Tier::raw, day, *number), options_.vfs);
    if (!opened) return opened.error();
    Partition& partition = partitions_.emplace(day, std::move(*opened)).first->second;
    if (auto begun = partition.begin(); !begun) return begun.error();
    return &partition;
  }

  Result<void> move_blocks() {
    auto read = tables_.database().prepare(
        "SELECT host, source, data FROM block_index JOIN block ON block.id=block_index.block ORDER BY "
        "last_ms");
    if (!read) return read.error();
    auto more = read->step();
    for (; more && *more; more = read->step()) {
      const auto block = SealedBlock::open(std::string(read->bytes(2)));
      if (!block) {
        log::error("history", "a damaged block is lost", {{"error", block.error()}});
        continue;
      }
      auto partition = partition_of(period_start_ms(Tier::raw, (*block)->first_ms()));
      if (!partition) return partition.error();
      const auto put =
          (*partition)->put_block({static_cast<HostId>(read->integer(0)), read->integer(1), block->get()});
      if (!put) return put.error();
      ++blocks_;
    }
    if (!more) return more.error();
    for (auto& [day, partition] : partitions_) {
      if (auto committed = partition.commit(); !committed) return committed;
      const auto synced = partition.checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
      if (!synced) return synced.error();
      if (!*synced) return fail(Errc::conflict, "history: somebody else reads the files");
    }
    return {};
  }

  Result<void> move_journal() {
    const auto number = tables_.add_file({0, FileKind::journal, FileForm::open, 0});
    if (!number) return number.error();
    Journal journal(options_.directory, options_.vfs);
    if (auto begun = journal.begin_file(*number); !begun) return begun;
    if (auto begun = journal.begin(); !begun) return begun;
    auto read = tables_.database().prepare("SELECT entries FROM journal ORDER BY id");
    if (!read) return read.error();
    auto more = read->step();
    for (; more && *more; more = read->step()) {
      if (auto put = journal.put_group(read->bytes(0)); !put) return put;
      ++groups_;
    }
    if (!more) return more.error();
    return journal.commit();
  }

  Tables& tables_;
  const HistoryOptions& options_;
  std::map<std::int64_t, Partition> partitions_;  // by day
  std::uint64_t blocks_ = 0;
  std::uint64_t groups_ = 0;
};

}  // namespace

Result<void> move_legacy(Tables& tables, const HistoryOptions& options) {
  const auto old = tables.database().integer(
      "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name='block_index'");
  if (!old) return old.error();
  if (*old == 0) return {};
  return Mover(tables, options).run();
}

}  // namespace vigil::aggregator
