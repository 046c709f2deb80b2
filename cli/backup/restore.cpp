#include "cli/backup/restore.h"

#include "common/text/human.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

namespace vigil::cli {
namespace {

constexpr std::string_view kPublicCertificate = "identity/ca.pem";

constexpr const char* kLockFile = "lock";  // what an aggregator holds of its data folder
constexpr const char* kPartial = ".partial";

using OnProgress = std::function<void(std::uint64_t, std::uint64_t, const std::string&)>;

Result<std::string> choose_set(const RestoreRequest& request) {
  const auto sets = list_sets(request.backup);
  if (!sets) return sets.error();
  if (sets->empty())
    return fail(Errc::not_found, "{} holds no set: is it the folder given to vigil backup?",
                request.backup.string());
  if (request.set.empty()) return sets->back();
  if (std::find(sets->begin(), sets->end(), request.set) != sets->end()) return request.set;
  return fail(Errc::not_found, "{} holds no set '{}'; there are {}", request.backup.string(), request.set,
              fmt::join(*sets, ", "));
}

Result<void> verify(const RestoreRequest& request, const Manifest& manifest, const OnProgress& progress) {
  std::uint64_t done = 0;
  for (const BackedUp& file : manifest.files) {
    const auto path = path_of(request.backup, file);
    std::uint64_t bytes = 0;
    Digest digest;
    auto read = read_pieces(path, [&](std::string_view piece) -> Result<void> {
      digest.add(piece);
      bytes += piece.size();
      progress(done + bytes, manifest.bytes(), "verifying " + file.name);
      return {};
    });
    if (!read) return fail(Errc::corrupt, "the backup is not complete: {}", read.error().message);
    if (bytes != file.bytes || !digest.has(file.checksum)) {
      return fail(Errc::corrupt,
                  "{} is damaged: it has not the size and checksum it was written with. Use another set, or "
                  "remove this file and "
                  "make another backup",
                  path.string());
    }
    done += bytes;
  }
  return {};
}

Result<void> check_empty(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return {};
  std::string found;
  auto entry = std::filesystem::directory_iterator(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name != kLockFile && (found.empty() || name.ends_with(kPartial))) found = name;
  }
  if (error) return fail_errno(error.value(), "read " + folder.string());
  if (found.empty()) return {};
  if (found.ends_with(kPartial))
    return fail(Errc::conflict,
                "{} holds a restore that broke off ({}): remove all that is in it, and try again",
                folder.string(), found);
  return fail(Errc::conflict, "{} is not empty: move it away, a restore never writes over anything",
              folder.string());
}

/// As an aggregator takes it, until the restore is over: none may start in a folder that is half there.
Result<Lock> take_folder(const std::filesystem::path& folder) {
  if (auto made = make_folder(folder); !made) return made.error();
  auto held = Lock::take(folder / kLockFile);
  if (!held && held.error().code == Errc::conflict)
    return fail(Errc::conflict, "{} is in use by an aggregator, or by another restore: stop it first",
                folder.string());
  return held;
}

/// Who restores as root does it for the owner of the folder.
Result<void> give_to_owner(const std::filesystem::path& path, const std::filesystem::path& folder) {
  struct stat owner {};
  if (::geteuid() != 0 || ::stat(folder.c_str(), &owner) != 0 || owner.st_uid == 0) return {};
  if (::chown(path.c_str(), owner.st_uid, owner.st_gid) != 0)
    return fail_errno(errno, "chown " + path.string());
  return {};
}

/// Folders of the data folder, with mode 0700, for files that lie in them.
Result<void> make_folders(const RestoreRequest& request, const Manifest& manifest) {
  for (const BackedUp& file : manifest.files) {
    const auto folder = (request.data_folder / file.name).parent_path();
    if (folder == request.data_folder) continue;
    if (auto made = make_folder(folder); !made) return made;
    if (auto given = give_to_owner(folder, request.data_folder); !given) return given;
  }
  return {};
}

/// What was put into folders is there for good only when these are synced, too.
Result<void> sync_folders(const RestoreRequest& request, const Manifest& manifest) {
  std::set<std::filesystem::path> folders{request.data_folder};
  for (const BackedUp& file : manifest.files) folders.insert((request.data_folder / file.name).parent_path());
  for (const auto& folder : folders) {
    if (auto synced = sync_folder(folder); !synced) return synced;
  }
  return {};
}

Result<void> copy(const RestoreRequest& request, const BackedUp& file,
                  const std::function<void(std::uint64_t)>& progress) {
  const auto target = request.data_folder / file.name;
  auto made = NewFile::create(target);
  if (!made) return made.error();
  auto copied = read_pieces(path_of(request.backup, file), [&](std::string_view piece) -> Result<void> {
    auto written = made->write(piece);
    progress(made->bytes());
    return written;
  });
  if (!copied) return copied;
  if (!made->digest().has(file.checksum))
    return fail(Errc::corrupt, "{} changed while it was copied", path_of(request.backup, file).string());
  // Kept, so that the next backup knows the file again.
  if (file.modified_ns != 0) {
    if (auto set = made->set_modified(file.modified_ns); !set) return set;
  }
  // As vigil-aggregator init makes it; in a backup it is private like all that lies there.
  if (file.name == kPublicCertificate) {
    if (auto let = made->let_all_read(); !let) return let;
  }
  if (auto finished = made->finish(target); !finished) return finished;
  return give_to_owner(target, request.data_folder);
}

/// The index comes last: without it no aggregator starts in the folder.
void put_index_last(std::vector<BackedUp>& files) {
  std::stable_partition(files.begin(), files.end(),
                        [](const BackedUp& file) { return file.name != "history.db"; });
}

Result<void> check_room(const RestoreRequest& request, const Manifest& manifest) {
  std::error_code error;
  const auto space = std::filesystem::space(request.data_folder, error);
  if (error || space.available > manifest.bytes()) return {};
  return fail(Errc::limit, "{} has {} free, the set needs {}", request.data_folder.string(),
              format_bytes(static_cast<double>(space.available)),
              format_bytes(static_cast<double>(manifest.bytes())));
}

Result<void> fill(const RestoreRequest& request, Manifest manifest, const OnProgress& progress) {
  if (auto given = give_to_owner(request.data_folder / kLockFile, request.data_folder); !given) return given;
  if (auto room = check_room(request, manifest); !room) return room;
  put_index_last(manifest.files);
  std::uint64_t done = 0;
  Result<void> copied = make_folders(request, manifest);
  for (const BackedUp& file : manifest.files) {
    if (!copied) break;
    copied = copy(request, file, [&](std::uint64_t bytes) {
      progress(done + bytes, manifest.bytes(), "restoring " + file.name);
    });
    done += file.bytes;
  }
  if (copied) copied = sync_folders(request, manifest);
  if (copied) return {};
  std::error_code ignored;  // the first error is what matters
  for (const BackedUp& file : manifest.files) {
    const auto path = request.data_folder / file.name;
    std::filesystem::remove(path, ignored);
    // The folder it was in, once that is empty.
    if (path.parent_path() != request.data_folder) std::filesystem::remove(path.parent_path(), ignored);
  }
  std::filesystem::remove(request.data_folder / kLockFile, ignored);
  return copied;
}

}  // namespace

Result<Restored> restore(const RestoreRequest& request, const OnProgress& progress) {
  const auto set = choose_set(request);
  if (!set) return set.error();
  auto manifest = read_set(request.backup, *set);
  if (!manifest) return manifest.error();
  const bool writes = !request.data_folder.empty();
  if (writes) {
    if (auto empty = check_empty(request.data_folder); !empty) return empty.error();
  }
  if (auto verified = verify(request, *manifest, progress); !verified) return verified.error();
  if (writes) {
    const auto held = take_folder(request.data_folder);
    if (!held) return held.error();
    // Verifying may have taken long.
    if (auto empty = check_empty(request.data_folder); !empty) return empty.error();
    if (auto filled = fill(request, *manifest, progress); !filled) return filled.error();
  }
  return Restored{*set, std::move(*manifest)};
}

}  // namespace vigil::cli
