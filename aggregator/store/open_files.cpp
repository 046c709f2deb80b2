// Which files there are: opened at a start, made and removed while running. The index knows a file before it
// exists and until it is gone, so that a crash leaves nothing behind that nobody knows of.
#include "aggregator/store/files.h"
#include "aggregator/store/writer.h"
#include "common/log/log.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace vigil::aggregator {
namespace {

Tier tier_of(FileKind kind) {
  return static_cast<Tier>(kind);
}

FileKind kind_of(Tier tier) {
  return static_cast<FileKind>(tier);
}

PartitionInfo describe(const StoredFile& file, std::string path, const PartitionContents& contents) {
  PartitionInfo info{file, tier_of(file.kind), std::move(path), contents.totals};
  if (contents.totals.blocks > 0) info.cover(contents.first_ms, contents.last_ms);
  return info;
}

/// Of "raw-20261122-7.db" 7; 0: it is none of ours.
std::int64_t number_of(const std::string& name) {
  const bool ours = name.starts_with("raw-") || name.starts_with("minute-") || name.starts_with("hour-") ||
                    name.starts_with("journal-");
  if (!ours || !name.ends_with(".db")) return 0;
  std::int64_t number = 0;
  const char* begin = name.data() + name.rfind('-') + 1;
  std::from_chars(begin, name.data() + name.size(), number);
  return number;
}

}  // namespace

std::string Writer::path_of(const StoredFile& file) const {
  if (file.kind == FileKind::journal) return journal_.path(file.number).string();
  return (surroundings_.options.directory / partition_name(tier_of(file.kind), file.period_ms, file.number))
      .string();
}

Result<void> Writer::open_files() {
  const auto complete_from = tables_.complete_from(Tier::raw);
  if (!complete_from) return complete_from.error();
  complete_from_ms_ = *complete_from;
  auto id = tables_.folder_id();
  if (!id) return id.error();
  folder_id_ = std::move(*id);
  if (auto reserved = reserve_numbers(); !reserved) return reserved;
  const auto files = tables_.files();
  if (!files) return files.error();
  for (const StoredFile& file : *files) {
    if (auto opened = open_file(file); !opened) return opened;
  }
  return {};
}

void Writer::note_used(HostId host, std::int64_t last_series) {
  if (started_) return;
  auto& last = used_ids_.try_emplace(host, last_series).first->second;
  last = std::max(last, last_series);
}

/// A file the index does not know any more keeps its number.
Result<void> Writer::reserve_numbers() {
  std::int64_t highest = 0;
  std::error_code error;
  auto entry = std::filesystem::directory_iterator(surroundings_.options.directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
    highest = std::max(highest, number_of(entry->path().filename().string()));
  if (error) return fail_errno(error.value(), "read " + surroundings_.options.directory.string());
  return tables_.reserve_file_numbers(highest);
}

Result<void> Writer::open_file(const StoredFile& file) {
  const bool exists = database_exists(path_of(file), surroundings_.options.vfs);
  if (file.form == FileForm::damaged) {
    if (!exists) return remove_and_forget(file);  // somebody removed it, or it was left out of a backup
    log::warn("history", "a damaged file is still there: remove it when nobody needs it",
              {{"file", path_of(file)}});
    return {};
  }
  if (file.form == FileForm::building || file.form == FileForm::doomed) return remove_and_forget(file);
  if (!exists) {
    // Empty ones are not made before something comes; any other was removed by somebody.
    if (file.form != FileForm::open || file.filled) {
      log::error("history", "a file is missing, and with it what it held", {{"file", path_of(file)}});
      note_missing(file);
    }
    return remove_and_forget(file);
  }
  if (file.filled) filled_.insert(file.number);
  if (file.kind == FileKind::journal) {
    journals_.push_back(file);
    return {};
  }
  auto opened = file.kind == FileKind::raw && file.form == FileForm::open ? open_raw(file) : look_at(file);
  if (!opened && opened.error().code == Errc::corrupt) return set_aside(file, opened.error());
  return opened;
}

void Writer::note_missing(const StoredFile& file) {
  const std::lock_guard lock(mutex_);
  missing_.push_back(std::filesystem::path(path_of(file)).filename());
}

/// With whatever is there of it: -wal and -shm outlive a file that somebody removed.
Result<void> Writer::remove_and_forget(const StoredFile& file) {
  if (auto removed = remove_database(path_of(file), surroundings_.options.vfs); !removed) return removed;
  return tables_.forget_file(file.number);
}

/// For adding blocks.
Result<void> Writer::open_raw(const StoredFile& file) {
  auto partition = Partition::open(path_of(file), surroundings_.options.vfs);
  if (!partition) return partition.error();
  const auto contents = partition->contents();
  if (!contents) return fail(contents.error().code, "{}: {}", path_of(file), contents.error().message);
  auto noted = partition->each_host([this](HostId host, std::int64_t last) { note_used(host, last); });
  if (!noted) return fail(noted.error().code, "{}: {}", path_of(file), noted.error().message);
  surroundings_.catalogue.put(describe(file, path_of(file), *contents));
  OpenRaw raw{.partition = std::move(*partition), .day_ms = file.period_ms, .added = {}, .replaced = {}};
  raw.holds = contents->totals.blocks > 0;
  raw.dirty = raw.holds;  // what is in its WAL may not be synced
  raw_.emplace(file.number, std::move(raw));
  by_day_[file.period_ms] = file.number;
  return {};
}

/// Only looked into: whoever adds to it opens it by itself.
Result<void> Writer::look_at(const StoredFile& file) {
  auto contents = Partition::look(path_of(file), surroundings_.options.vfs);
  if (!contents) return fail(contents.error().code, "{}: {}", path_of(file), contents.error().message);
  surroundings_.catalogue.put(describe(file, path_of(file), *contents));
  return {};
}

Result<void> Writer::set_aside(const StoredFile& file, const Error& why) {
  log::error("history", "a file cannot be read and is set aside; the others are not harmed",
             {{"file", path_of(file)}, {"error", why}});
  {
    const std::lock_guard lock(mutex_);
    ++stats_.damaged_files;
  }
  return tables_.set_form(file.number, FileForm::damaged);
}

Result<void> Writer::set_journal_aside(const StoredFile& file, const Error& why) {
  const std::int64_t number = file.number;
  if (auto aside = set_aside(file, why); !aside) return aside;
  std::erase_if(journals_, [number](const StoredFile& each) { return each.number == number; });
  index_.forget_file(number);
  return {};
}

Result<PartitionInfo> Writer::make_file(Tier tier, FileForm form, std::int64_t period_ms) {
  PartitionInfo made;
  auto done = call([&]() -> Result<void> {
    const auto number = tables_.add_file({0, kind_of(tier), form, period_ms});
    if (!number) return number.error();
    const StoredFile file{*number, kind_of(tier), form, period_ms};
    made = describe(file, path_of(file), {});
    return {};
  });
  if (!done) return done.error();
  if (form != FileForm::building) surroundings_.catalogue.put(made);
  return made;
}

Result<bool> Writer::finish(std::int64_t number) {
  bool finished = false;
  auto done = call([&]() -> Result<void> {
    const auto at = raw_.find(number);
    if (at != raw_.end()) {
      const auto complete = at->second.partition.checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
      if (!complete) return complete.error();
      if (!*complete) return {};
      if (by_day_[at->second.day_ms] == number) by_day_.erase(at->second.day_ms);
      raw_.erase(at);
    }
    if (auto formed = tables_.set_form(number, FileForm::finished); !formed) return formed;
    surroundings_.catalogue.set_form(number, FileForm::finished);
    finished = true;
    return {};
  });
  if (!done) return done.error();
  return finished;
}

Result<void> Writer::replace(const std::vector<std::int64_t>& files, const PartitionInfo& by) {
  auto done = call([&]() -> Result<void> {
    auto changed = transact([&]() -> Result<void> {
      auto put = tables_.set_form(by.file.number, FileForm::compacted);
      for (const std::int64_t file : files) {
        if (put) put = tables_.set_form(file, FileForm::doomed);
      }
      return put;
    });
    if (changed) surroundings_.catalogue.replace(files, by);
    return changed;
  });
  if (!done) return done;
  // What cannot be removed now is doomed, and tried again.
  for (const std::int64_t file : files) (void)remove_file(file);
  return {};
}

Result<void> Writer::retire(const Retirement& retirement) {
  auto done = call([&]() -> Result<void> {
    auto changed = transact([&]() -> Result<void> {
      auto put = tables_.put_complete_from(retirement.tier, retirement.complete_from_ms);
      for (const std::int64_t file : retirement.files) {
        if (put) put = tables_.set_form(file, FileForm::doomed);
      }
      return put;
    });
    if (!changed) return changed;
    if (retirement.tier == Tier::raw) complete_from_ms_ = retirement.complete_from_ms;
    for (const std::int64_t file : retirement.files) {
      surroundings_.catalogue.set_form(file, FileForm::doomed);
      if (const auto at = raw_.find(file); at != raw_.end()) {
        if (by_day_[at->second.day_ms] == file) by_day_.erase(at->second.day_ms);
        raw_.erase(at);
      }
    }
    return {};
  });
  if (!done) return done;
  // What cannot be removed now is doomed, and tried again.
  for (const std::int64_t file : retirement.files) (void)remove_file(file);
  return {};
}

Result<void> Writer::remove_file(std::int64_t number) {
  // Also while there is no room: this makes some. After a failure the next start does it.
  return on_thread([&] {
    if (health().state == HistoryState::failed) return;
    surroundings_.catalogue.remove(number);
    surroundings_.connections.forget(number);
    to_remove_.push_back(number);
    remove_unneeded();
  });
}

Result<void> Writer::retire_gaps(std::int64_t before_ms) {
  return call([&] { return tables_.retire_gaps(before_ms); });
}

}  // namespace vigil::aggregator
