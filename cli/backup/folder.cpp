#include "cli/backup/folder.h"

#include <algorithm>
#include <set>

namespace vigil::cli {
namespace {

constexpr const char* kFiles = "files";
constexpr std::string_view kSetPrefix = "set-";
constexpr std::string_view kSetSuffix = ".json";

Result<std::vector<std::string>> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  auto entry = std::filesystem::directory_iterator(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
    names.push_back(entry->path().filename());
  if (error) return fail_errno(error.value(), "read " + folder.string());
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> remove_file(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) return fail_errno(error.value(), "remove " + path.string());
  return {};
}

}  // namespace

Result<BackupFolder> BackupFolder::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::exists(path / "history.db", ignored))
    return fail(Errc::conflict, "{} is a data folder, it has a history.db: choose another one for backups",
                path.string());
  if (auto made = make_folder(path); !made) return made.error();
  auto lock = Lock::take(path / "lock");
  if (!lock && lock.error().code == Errc::conflict)
    return fail(Errc::conflict, "another backup into {} is being made: wait for its end", path.string());
  if (!lock) return lock.error();
  if (auto made = make_folder(path / kFiles); !made) return made.error();
  return BackupFolder(path, std::move(*lock));
}

Result<void> BackupFolder::belongs_to(const std::string& folder_id) const {
  const auto sets = list_sets(path_);
  if (!sets) return sets.error();
  for (const std::string& set : *sets) {
    const auto manifest = read_set(path_, set);
    if (!manifest || manifest->folder_id.empty() || manifest->folder_id == folder_id) continue;
    return fail(Errc::conflict,
                "{} is of another aggregator's data: give each aggregator a folder of its own for backups "
                "(and a new one after a set without an id, of an older version, was restored)",
                (path_ / set).string());
  }
  return {};
}

Result<std::vector<BackedUp>> BackupFolder::files() const {
  const auto names = names_in(path_ / kFiles);
  if (!names) return names.error();
  std::vector<BackedUp> found;
  for (const std::string& name : *names) {
    auto file = parse_stored_name(name);
    if (!file) continue;  // never finished
    const auto facts = facts_of(path_ / kFiles / name);
    if (!facts) return facts.error();
    file->bytes = facts->bytes;
    file->modified_ns = facts->modified_ns;
    found.push_back(std::move(*file));
  }
  return found;
}

Result<void> BackupFolder::rename_by_content(const BackedUp& file, const OnBytes& progress) const {
  const auto old_path = path_of(path_, file);
  Digest digest;
  std::uint64_t bytes = 0;
  auto read = read_pieces(old_path, [&](std::string_view piece) -> Result<void> {
    digest.add(piece);
    bytes += piece.size();
    progress(bytes);
    return {};
  });
  if (!read) return read;
  if (!digest.has(file.checksum)) return fail(Errc::corrupt, "{} is damaged", old_path.string());
  BackedUp named = file;
  named.checksum = digest.sha256();
  std::error_code error;
  std::filesystem::create_hard_link(old_path, path_of(path_, named), error);
  if (error) return fail_errno(error.value(), "link " + old_path.string());
  return {};
}

Result<NewFile> BackupFolder::begin_file(const std::string& name) const {
  return NewFile::create(path_ / kFiles / flat_name(name));
}

Result<BackedUp> BackupFolder::finish_file(NewFile file, const std::string& name,
                                           std::int64_t modified_ns) const {
  BackedUp done{name, file.bytes(), file.digest().sha256(), modified_ns};
  if (auto set = file.set_modified(modified_ns); !set) return set.error();
  if (auto finished = file.finish(path_of(path_, done)); !finished) return finished.error();
  return done;
}

Result<std::string> BackupFolder::add_set(const Manifest& manifest) const {
  if (auto synced = sync_folder(path_ / kFiles); !synced) return synced.error();
  const std::string second = set_name(manifest.time_ms);
  std::string name = second;
  std::error_code error;
  for (int i = 2; std::filesystem::exists(path_ / (name + std::string(kSetSuffix)), error); ++i)
    name = fmt::format("{}-{:03}", second, i);
  const auto path = path_ / (name + std::string(kSetSuffix));
  auto file = NewFile::create(path);
  if (!file) return file.error();
  if (auto written = file->write(to_json(manifest)); !written) return written.error();
  if (auto finished = file->finish(path); !finished) return finished.error();
  if (auto synced = sync_folder(path_); !synced) return synced.error();
  return name;
}

Result<std::size_t> BackupFolder::prune(std::optional<std::size_t> keep, const std::string& newest) const {
  auto sets = list_sets(path_);
  if (!sets) return sets.error();
  // A clock that was wrong may have made sets of the future; what was just made is the latest all the same.
  if (std::erase(*sets, newest) > 0) sets->push_back(newest);
  const std::size_t old = keep && sets->size() > *keep ? sets->size() - *keep : 0;
  std::set<std::string> needed;
  for (std::size_t i = old; i < sets->size(); ++i) {
    const auto manifest = read_set(path_, (*sets)[i]);
    if (!manifest && !keep) return std::size_t{0};
    if (!manifest) return manifest.error();  // what it needs is not known: nothing goes
    for (const BackedUp& file : manifest->files) needed.insert(stored_name(file));
  }
  for (std::size_t i = 0; i < old; ++i) {
    if (auto removed = remove_file(path_ / ((*sets)[i] + std::string(kSetSuffix))); !removed)
      return removed.error();
  }
  const auto names = names_in(path_ / kFiles);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (needed.contains(name)) continue;
    if (auto removed = remove_file(path_ / kFiles / name); !removed) return removed.error();
  }
  return old;
}

Result<std::vector<std::string>> list_sets(const std::filesystem::path& folder) {
  auto names = names_in(folder);
  if (!names) return names.error();
  std::vector<std::string> sets;
  for (const std::string& name : *names) {
    if (name.starts_with(kSetPrefix) && name.ends_with(kSetSuffix))
      sets.push_back(name.substr(0, name.size() - kSetSuffix.size()));
  }
  std::sort(sets.begin(), sets.end());  // without the suffix "-2" comes after nothing
  return sets;
}

Result<Manifest> read_set(const std::filesystem::path& folder, const std::string& set) {
  const auto path = folder / (set + std::string(kSetSuffix));
  const auto text = read_file(path);
  if (!text) return text.error();
  auto manifest = parse_manifest(*text);
  if (!manifest) return fail(manifest.error().code, "{}: {}", path.string(), manifest.error().message);
  return manifest;
}

std::filesystem::path path_of(const std::filesystem::path& folder, const BackedUp& file) {
  return folder / kFiles / stored_name(file);
}

}  // namespace vigil::cli
