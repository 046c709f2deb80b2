#include "aggregator/serve/backup_sender.h"

#include "common/crc32c.h"
#include "common/version.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    // What is read once must not push out of memory what queries read again and again.
    if (descriptor_ >= 0) (void)::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  ~OpenFile() {
    if (descriptor_ < 0) return;
    (void)::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED);
    ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  bool is_open() const { return descriptor_ >= 0; }
  /// Bytes read; 0 at the end; negative: errno.
  ssize_t read(std::string& chunk) const {
    ssize_t count = 0;
    do count = ::read(descriptor_, chunk.data(), chunk.size());
    while (count < 0 && errno == EINTR);
    return count;
  }

 private:
  const int descriptor_;
};

Error nobody_listens() {
  return fail(Errc::unavailable, "the client has gone");
}

v1::BackupPart plan_of(const Snapshot& snapshot) {
  v1::BackupPart part;
  v1::BackupPlan& plan = *part.mutable_plan();
  plan.set_time_ms(snapshot.time_ms());
  plan.set_version(std::string(kVersion));
  plan.set_folder_id(snapshot.folder_id());
  for (const SnapshotFile& file : snapshot.files()) {
    v1::BackupFile& out = *plan.add_files();
    out.set_name(file.name);
    out.set_bytes(file.bytes);
    out.set_modified_ns(file.modified_ns);
    out.set_known(file.known);
  }
  return part;
}

Result<void> send_file(const SnapshotFile& file, const std::function<bool(v1::BackupPart)>& send) {
  const OpenFile open(file.path);
  if (!open.is_open()) return fail_errno(errno, "open " + file.path.string());
  std::uint64_t sent = 0;
  std::uint32_t crc = 0;
  std::string chunk(kChunkBytes, '\0');
  for (ssize_t count = open.read(chunk); count != 0; count = open.read(chunk)) {
    if (count < 0) return fail_errno(errno, "read " + file.path.string());
    const std::string_view bytes(chunk.data(), static_cast<std::size_t>(count));
    crc = crc32c(bytes, crc);
    sent += bytes.size();
    v1::BackupPart part;
    part.set_data(bytes.data(), bytes.size());
    if (!send(std::move(part))) return nobody_listens();
  }
  if (sent != file.bytes)
    return fail(Errc::corrupt, "{}: {} bytes where {} were told: somebody else writes to it",
                file.path.string(), sent, file.bytes);
  v1::BackupPart end;
  end.mutable_file_end()->set_crc32c(crc);
  return send(std::move(end)) ? Result<void>() : nobody_listens();
}

}  // namespace

Result<void> send_backup(const Snapshot& snapshot, const std::function<bool(v1::BackupPart)>& send) {
  if (!send(plan_of(snapshot))) return nobody_listens();
  std::uint64_t bytes = 0;
  for (const SnapshotFile& file : snapshot.files()) {
    if (file.known) continue;
    if (auto sent = send_file(file, send); !sent) return sent;
    bytes += file.bytes;
  }
  v1::BackupPart done;
  done.mutable_done()->set_sent_bytes(bytes);
  return send(std::move(done)) ? Result<void>() : nobody_listens();
}

}  // namespace vigil::aggregator
