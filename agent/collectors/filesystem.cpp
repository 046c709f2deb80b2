// Space, inodes and state of mounted file systems: PROCFS/1/mountinfo and statvfs(3) below ROOTFS.
// The list is that of process 1, since the agent's own mount namespace may be another (ProtectSystem=, a
// container); where process 1 may not be looked at (hidepid, no privilege) it is our own. Sizes are in units
// of f_frsize, not of f_bsize, which on NFS and FUSE is the size of a transfer. A mount that does not answer
// has node_filesystem_device_error 1 and no sizes, never old ones.
#include "agent/collectors/filesystem.h"

#include "agent/collectors/name_filter.h"
#include "agent/collectors/text.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>
#include <utility>

namespace vigil::agent {
namespace {

constexpr auto kGauge = SeriesType::gauge;
constexpr Family kSize{
    "node_filesystem_size_bytes", "Filesystem size in bytes.", kGauge, 0, {"device", "mountpoint", "fstype"}};
constexpr Family kFree{"node_filesystem_free_bytes",
                       "Filesystem free space in bytes.",
                       kGauge,
                       0,
                       {"device", "mountpoint", "fstype"}};
constexpr Family kAvail{"node_filesystem_avail_bytes",
                        "Filesystem space available to non-root users in bytes.",
                        kGauge,
                        0,
                        {"device", "mountpoint", "fstype"}};
constexpr Family kFiles{
    "node_filesystem_files", "Filesystem total file nodes.", kGauge, 0, {"device", "mountpoint", "fstype"}};
constexpr Family kFilesFree{"node_filesystem_files_free",
                            "Filesystem total free file nodes.",
                            kGauge,
                            0,
                            {"device", "mountpoint", "fstype"}};
constexpr Family kReadOnly{"node_filesystem_readonly",
                           "Filesystem read-only status.",
                           kGauge,
                           0,
                           {"device", "mountpoint", "fstype"}};
constexpr Family kDeviceError{
    "node_filesystem_device_error",
    "Whether the file system failed to tell its statistics, or did not answer in time.",
    kGauge,
    0,
    {"device", "mountpoint", "fstype"}};

bool has_option(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const auto [option, rest] = split_once(options, ',');
    if (option == wanted) return true;
    options = rest;
  }
  return false;
}

std::optional<Mount> parse_mount(std::string_view line) {
  Fields fields(line);
  fields.skip(4);  // ids, device number, root within the file system
  const std::string_view mountpoint = fields.next();
  const std::string_view options = fields.next();
  std::string_view field = fields.next();
  while (!field.empty() && field != "-") field = fields.next();  // any number of optional fields
  const std::string_view fstype = fields.next();
  const std::string_view device = fields.next();
  const std::string_view super_options = fields.next();
  if (!mountpoint.starts_with('/') || device.empty()) return std::nullopt;
  Mount mount{unescape_octal(device), unescape_octal(mountpoint), std::string(fstype)};
  mount.read_only = has_option(options, "ro") || has_option(super_options, "ro");
  return mount;
}

std::int64_t bytes(std::uint64_t blocks, std::uint64_t unit) {
  std::uint64_t product = 0;
  constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
  if (__builtin_mul_overflow(blocks, unit, &product) || product > kLargest)
    return static_cast<std::int64_t>(kLargest);
  return static_cast<std::int64_t>(product);
}

class FilesystemCollector final : public Collector {
 public:
  FilesystemCollector(const CollectorOptions& options, StatvfsCall call, std::chrono::milliseconds deadline)
      : first_(options.roots.procfs + "/1/mountinfo"),
        own_(options.roots.procfs + "/self/mountinfo"),
        rootfs_(options.roots.rootfs),
        mount_filter_(options.filesystem_mount_exclude),
        type_filter_(options.filesystem_type_exclude),
        prober_(std::move(call), deadline) {
    while (rootfs_.ends_with('/')) rootfs_.pop_back();
  }

  std::string_view name() const override { return "filesystem"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    auto mounts = list();
    if (!mounts) return mounts.error();
    std::vector<MountQuestion> questions;
    questions.reserve(mounts->size());
    for (const Mount& mount : *mounts) {
      using Place = MountQuestion::Place;
      std::string path = rootfs_ + mount.mountpoint;
      questions.push_back({std::move(path), may_hang(mount.fstype) ? Place::remote : Place::local});
    }
    const auto answers = prober_.ask(questions);
    for (std::size_t i = 0; i < answers.size(); ++i) put((*mounts)[i], answers[i], sheet);
    if (auto valid = mount_filter_.valid(); !valid) return valid;
    if (auto valid = type_filter_.valid(); !valid) return valid;
    if (auto whole = first_.whole(); !whole) return whole;
    return own_.whole();
  }

 private:
  Result<std::vector<Mount>> list() {
    auto content = first_.read();
    // Our own list shows the host below rootfs; that of process 1 shows it as the host sees it.
    const bool ours = !content || content->empty();
    if (ours) content = own_.read();
    if (!content) return content.error();
    std::vector<Mount> mounts;
    mount_filter_.rewind();
    type_filter_.rewind();
    for (Mount& mount : parse_mountinfo(*content)) {
      if (ours && !below_rootfs(mount.mountpoint)) continue;
      if (mount_filter_.excludes(mount.mountpoint) || type_filter_.excludes(mount.fstype)) continue;
      mounts.push_back(std::move(mount));
    }
    return mounts;
  }

  /// Takes rootfs off the head of the path.
  bool below_rootfs(std::string& mountpoint) const {
    if (!mountpoint.starts_with(rootfs_)) return false;
    if (mountpoint.size() > rootfs_.size() && mountpoint[rootfs_.size()] != '/') return false;
    mountpoint.erase(0, rootfs_.size());
    if (mountpoint.empty()) mountpoint = "/";
    return true;
  }

  static void put(const Mount& mount, const MountAnswer& answer, Sheet& sheet) {
    const std::string device = printable(mount.device);
    const std::string mountpoint = printable(mount.mountpoint);
    const std::string fstype = printable(mount.fstype);
    const auto put_one = [&](const Family& family, std::int64_t raw) {
      sheet.put(family, {device, mountpoint, fstype}, raw);
    };
    const bool answered = answer.state == MountAnswer::State::answered;
    put_one(kDeviceError, answered ? 0 : 1);
    put_one(kReadOnly, mount.read_only ? 1 : 0);
    if (!answered) return;
    const std::uint64_t unit = answer.stat.f_frsize != 0 ? answer.stat.f_frsize : answer.stat.f_bsize;
    put_one(kSize, bytes(answer.stat.f_blocks, unit));
    put_one(kFree, bytes(answer.stat.f_bfree, unit));
    put_one(kAvail, bytes(answer.stat.f_bavail, unit));
    put_one(kFiles, bytes(answer.stat.f_files, 1));
    put_one(kFilesFree, bytes(answer.stat.f_ffree, 1));
  }

  ProcFile first_;
  ProcFile own_;
  std::string rootfs_;  // without a slash at its end
  NameFilter mount_filter_;
  NameFilter type_filter_;
  MountProber prober_;
};

}  // namespace

std::vector<Mount> parse_mountinfo(std::string_view text) {
  std::vector<Mount> mounts;
  std::unordered_map<std::string, std::size_t> last;  // mount point -> where it is in `mounts`
  for (Lines lines(text); lines.next();) {
    auto mount = parse_mount(lines.line());
    if (!mount) continue;
    const auto [place, fresh] = last.try_emplace(mount->mountpoint, mounts.size());
    if (fresh) {
      mounts.push_back(std::move(*mount));
    } else {
      mounts[place->second] = std::move(*mount);
    }
  }
  return mounts;
}

bool may_hang(std::string_view fstype) {
  static constexpr std::array<std::string_view, 18> kRemote = {
      "9p",   "afs",       "beegfs", "ceph",  "cifs", "coda", "davfs", "fuse", "fuseblk",
      "gfs2", "glusterfs", "lustre", "ncpfs", "nfs",  "nfs4", "ocfs2", "smb3", "virtiofs"};
  return fstype.starts_with("fuse.") || std::find(kRemote.begin(), kRemote.end(), fstype) != kRemote.end();
}

std::unique_ptr<Collector> make_filesystem_with(const CollectorOptions& options, StatvfsCall call,
                                                std::chrono::milliseconds deadline) {
  return std::make_unique<FilesystemCollector>(options, std::move(call), deadline);
}

std::unique_ptr<Collector> make_filesystem(const CollectorOptions& options) {
  return make_filesystem_with(options, call_statvfs);
}

}  // namespace vigil::agent
