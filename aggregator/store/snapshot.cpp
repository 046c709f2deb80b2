#include "aggregator/store/snapshot.h"

#include "aggregator/store/copy_database.h"
#include "aggregator/store/files.h"
#include "aggregator/store/folder.h"
#include "aggregator/store/writer.h"
#include "common/text/human.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>

namespace vigil::aggregator {
namespace {

constexpr std::uint64_t kRoomLeft = std::uint64_t{64} << 20;  // for the journal while the copies are there
constexpr std::uint64_t kPageBytes = 4096;                    // of all our files
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

/// Size and time of a file's last change, by stat(2): opening it would drop SQLite's locks.
Result<SnapshotFile> describe(const std::filesystem::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return fail_errno(errno, "stat " + path.string());
  SnapshotFile file{path.filename(), path, static_cast<std::uint64_t>(found.st_size), 0, false};
  file.modified_ns = found.st_mtim.tv_sec * kNsPerSecond + found.st_mtim.tv_nsec;
  return file;
}

bool has_log(const std::filesystem::path& path) {
  struct stat found {};
  return ::stat((path.string() + "-wal").c_str(), &found) == 0 && found.st_size > 0;
}

bool is_written_to(const StoredFile& file) {
  return file.form == FileForm::open || file.form == FileForm::finished;
}

/// Who asked for the backup has a disk of his own, and would look there.
Error at_aggregator(const HistoryOptions& options, const Error& error) {
  if (error.code == Errc::conflict || error.code == Errc::unavailable) return error;
  return fail(error.code, "the aggregator's data folder {}: {}", options.directory.string(), error.message);
}

}  // namespace

Snapshot::Snapshot(Writer& writer, const HistoryOptions& options, SnapshotRequest request)
    : writer_(writer),
      options_(options),
      request_(std::move(request)),
      folder_(options.directory / kSnapshotFolder) {}

Snapshot::~Snapshot() {
  if (!holding_) return;
  held_.clear();
  clean(options_.directory);
  writer_.release();
}

const std::string& Snapshot::folder_id() const {
  return writer_.folder_id();
}

void Snapshot::clean(const std::filesystem::path& directory) {
  std::error_code ignored;  // what is left takes room, and no harm comes of it
  std::filesystem::remove_all(directory / kSnapshotFolder, ignored);
}

Result<std::unique_ptr<Snapshot>> Snapshot::take(Writer& writer, const HistoryOptions& options,
                                                 SnapshotRequest request) {
  std::sort(request.known.begin(), request.known.end());
  std::unique_ptr<Snapshot> snapshot(new Snapshot(writer, options, std::move(request)));
  if (auto held = snapshot->hold(); !held) return at_aggregator(options, held.error());
  if (auto copied = snapshot->copy_all(); !copied) return at_aggregator(options, copied.error());
  return snapshot;
}

/// Connections are opened before: the history thread only begins transactions, but for files made in between.
Result<void> Snapshot::hold() {
  std::map<std::string, Database> ready;
  const auto open = [&](const std::filesystem::path& path) -> Result<void> {
    if (!database_exists(path, options_.vfs)) return {};  // nothing was put into it yet
    auto database = Database::open(path, Access::read_only, options_.vfs);
    if (!database) return database.error();
    ready[path.string()] = std::move(*database);
    return {};
  };
  std::vector<std::string> also{(options_.directory / kIndexFile).string()};
  for (const std::string& name : request_.also) also.push_back((options_.directory / name).string());
  for (const std::string& path : also) {
    if (auto opened = open(path); !opened) return opened;
  }
  const auto before = writer_.list_files();
  if (!before) return before.error();
  for (const Writer::FileOnDisk& each : *before) {
    if (!is_written_to(each.file)) continue;
    (void)open(each.path);  // one that has gone since; any other error comes again
  }
  auto held = writer_.hold([&](const std::vector<Writer::FileOnDisk>& now) -> Result<void> {
    time_ms_ = options_.now_ms();
    std::vector<std::string> paths = also;
    for (const Writer::FileOnDisk& each : now) {
      if (is_written_to(each.file)) paths.push_back(each.path);
      if (each.file.form != FileForm::compacted) continue;
      auto file = describe(each.path);
      if (!file) return file.error();
      files_.push_back(std::move(*file));
    }
    for (const std::string& path : paths) {
      if (!ready.contains(path)) {
        if (auto opened = open(path); !opened) return opened;
      }
      if (!ready.contains(path)) continue;
      if (auto begun = begin(path, std::move(ready[path])); !begun) return begun;
    }
    return {};
  });
  holding_ = held.has_value();
  return held;
}

/// From here on the connection shows the file as it is now.
Result<void> Snapshot::begin(const std::filesystem::path& path, Database database) {
  auto begun = database.execute("BEGIN");
  if (!begun) return begun;
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return fail(tables.error().code, "{}: {}", path.string(), tables.error().message);
  const auto pages = database.integer("PRAGMA page_count");
  if (!pages) return fail(pages.error().code, "{}: {}", path.string(), pages.error().message);
  auto file = describe(path);
  if (!file) return file.error();
  // Without a log, a reader keeps everybody from writing into the file itself: time and size are those of
  // what it shows.
  if (has_log(path)) file->modified_ns = 0;
  file->bytes = static_cast<std::uint64_t>(*pages) * kPageBytes;
  held_.push_back({std::move(*file), std::move(database)});
  return {};
}

bool Snapshot::is_known(const SnapshotFile& file) const {
  return file.modified_ns != 0 && std::binary_search(request_.known.begin(), request_.known.end(),
                                                     KnownFile{file.name, file.bytes, file.modified_ns});
}

Result<void> Snapshot::copy_all() {
  clean(options_.directory);
  if (auto made = make_private_folder(folder_); !made) return made;
  std::uint64_t total = 0;
  for (SnapshotFile& file : files_) file.known = is_known(file);
  for (Held& held : held_) {
    held.file.known = is_known(held.file);
    total += held.file.known ? 0 : held.file.bytes;
  }
  std::error_code error;
  const auto space = std::filesystem::space(options_.directory, error);
  if (!error && space.available < total + kRoomLeft) {
    return fail(Errc::limit,
                "a backup copies what is being written to, {} into {}, but only {} are free: make room",
                format_bytes(static_cast<double>(total)), kSnapshotFolder,
                format_bytes(static_cast<double>(space.available)));
  }
  for (Held& held : held_) {
    if (!held.file.known) {
      if (auto copied = copy(held, total); !copied) return copied;
    }
    files_.push_back(held.file);
    held.database = {};  // its transaction ends: checkpoints get on
  }
  held_.clear();
  if (auto copied = copy_more(); !copied) return copied;
  for (SnapshotFile& file : files_) {
    if (file.known) file.path.clear();
  }
  std::stable_partition(files_.begin(), files_.end(),
                        [](const SnapshotFile& file) { return file.modified_ns != 0; });
  return {};
}

Result<void> Snapshot::copy_more() {
  if (!request_.copy_more) return {};
  const auto names = request_.copy_more(folder_);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    auto file = describe(folder_ / name);
    if (!file) return file.error();
    file->name = name;
    file->modified_ns = 0;  // of the copy: it says nothing
    files_.push_back(std::move(*file));
  }
  return {};
}

Result<void> Snapshot::copy(Held& held, std::uint64_t total_bytes) {
  const std::filesystem::path target = folder_ / held.file.name;
  auto copied = copy_database(held.database, target, [&](std::uint64_t bytes) {
    return !request_.progress || request_.progress(copied_bytes_ + bytes, total_bytes, held.file.name);
  });
  if (!copied) return fail(copied.error().code, "{}: {}", held.file.name, copied.error().message);
  std::error_code error;
  held.file.bytes = std::filesystem::file_size(target, error);
  if (error) return fail_errno(error.value(), "stat " + target.string());
  held.file.path = target;
  copied_bytes_ += held.file.bytes;
  return {};
}

}  // namespace vigil::aggregator
