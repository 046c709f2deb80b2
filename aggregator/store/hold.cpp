// How the history thread stands still for a moment, so that somebody may look at all files as they are
// between two commits, and keeps them until he has done so.
#include "aggregator/store/files.h"
#include "aggregator/store/writer.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::aggregator {

Result<std::vector<Writer::FileOnDisk>> Writer::describe_files() {
  const auto files = tables_.files();
  if (!files) return files.error();
  std::vector<FileOnDisk> described;
  for (const StoredFile& file : *files) described.push_back({file, path_of(file)});
  return described;
}

Result<std::vector<Writer::FileOnDisk>> Writer::list_files() {
  std::vector<FileOnDisk> files;
  auto done = call([&]() -> Result<void> {
    auto described = describe_files();
    if (!described) return described.error();
    files = std::move(*described);
    return {};
  });
  if (!done) return done.error();
  return files;
}

Result<void> Writer::hold(const std::function<Result<void>(const std::vector<FileOnDisk>&)>& look) {
  bool taken = false;
  auto done = call([&]() -> Result<void> {
    if (held_) return fail(Errc::conflict, "a backup is being made already: wait for its end");
    const auto files = describe_files();
    if (!files) return files.error();
    if (auto looked = look(*files); !looked) return looked;
    held_ = taken = true;
    return {};
  });
  if (!done && taken) release();
  return done;
}

void Writer::release() {
  const auto let_go = [this] {
    held_ = false;
    remove_unneeded();
  };
  (void)worker_.insist(let_go);  // or it stops, and the next start removes them
}

/// What fails is tried again with the next upkeep, and at the next start.
void Writer::remove_unneeded() {
  if (held_) return;
  for (const std::int64_t number : std::exchange(to_remove_, {})) {
    const auto gone = unlink_file(number);
    if (gone) continue;
    to_remove_.push_back(number);
    log::warn("history", "a file that is no longer needed could not be removed", {{"error", gone.error()}});
  }
}

/// A file that is doomed already, or was never complete.
Result<void> Writer::unlink_file(std::int64_t number) {
  const auto files = tables_.files();
  if (!files) return files.error();
  const auto file = std::ranges::find(*files, number, &StoredFile::number);
  if (file == files->end()) return {};
  if (auto removed = remove_database(path_of(*file), surroundings_.options.vfs); !removed) return removed;
  return tables_.forget_file(number);
}

std::vector<std::string> Writer::journal_paths() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  for (const std::int64_t file : stats_journals_) paths.push_back(journal_.path(file).string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace vigil::aggregator
