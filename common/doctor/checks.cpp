#include "common/doctor/checks.h"

#include "common/text/human.h"
#include "common/text/lines.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace vigil::doctor {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kMiB = 1 << 20;

/// Network and user-space file systems: SQLite needs locks and fsync that mean what they say.
bool is_bad_for_databases(std::string_view file_system) {
  constexpr std::array<std::string_view, 7> kBad = {"nfs", "cifs", "smb2", "fuse", "9p", "ceph", "afs"};
  return std::ranges::find(kBad, file_system) != kBad.end();
}

Finding check_room(const FolderFacts& facts) {
  const double share = facts.total_bytes == 0
                           ? 1
                           : static_cast<double>(facts.free_bytes) / static_cast<double>(facts.total_bytes);
  const std::string seen =
      fmt::format("{} free, {:.0f} % of {}", format_bytes(static_cast<double>(facts.free_bytes)), share * 100,
                  facts.file_system);
  const std::string fix =
      "make room, move the folder, or keep less (store.*.retention, store.*.max_size, spool.max_size)";
  if (facts.free_bytes < 64 * kMiB || share < 0.01) return problem("disk", facts.path, seen, fix);
  if (facts.free_bytes < 1024 * kMiB || share < 0.05) return warning("disk", facts.path, seen, fix);
  if (facts.total_inodes > 0 && facts.free_inodes * 100 < facts.total_inodes)
    return problem("disk", facts.path,
                   fmt::format("{} free inodes of {}", facts.free_inodes, facts.total_inodes),
                   "remove small files that nobody needs from this file system");
  return ok("disk", facts.path, seen);
}

Finding check_file_system(const FolderFacts& facts, Holds holds) {
  if (is_bad_for_databases(facts.file_system)) {
    const std::string seen =
        fmt::format("it is on {}, where locks and fsync cannot be relied on", facts.file_system);
    const std::string fix =
        fmt::format("keep it on a local disk: {}", holds == Holds::databases ? "data_dir" : "spool.dir");
    return holds == Holds::databases ? problem("disk", facts.path, seen, fix)
                                     : warning("disk", facts.path, seen, fix);
  }
  if (facts.file_system == "tmpfs" || facts.file_system == "overlay") {
    return warning("disk", facts.path,
                   fmt::format("it is on {}: what it holds is gone {}", facts.file_system,
                               facts.file_system == "tmpfs" ? "at the next boot" : "with the container"),
                   "name a folder on a disk, or mount a volume there");
  }
  return ok("disk", facts.path, fmt::format("its file system is {}", facts.file_system));
}

Finding check_sync(const FolderFacts& facts) {
  constexpr milliseconds kSlow{500};
  if (!facts.sync_error.empty())
    return problem("disk", facts.path, "fsync fails: " + facts.sync_error,
                   "look at the disk (journalctl -k, smartctl -a): nothing is safe on it");
  if (*facts.sync_took >= kSlow)
    return warning("disk", facts.path, fmt::format("fsync takes {}", format_age(*facts.sync_took)),
                   "samples are acknowledged no faster than that: a faster or less busy disk");
  return ok("disk", facts.path, fmt::format("fsync works, within {}", format_age(*facts.sync_took)));
}

Finding check_access(const FolderFacts& facts, const std::string& user) {
  if (!facts.is_there) {
    if (facts.is_writable)
      return ok("permissions", facts.path, "is not there yet: it is made at the first start");
    return problem("permissions", facts.path, "is not there, and cannot be made by this user",
                   fmt::format("install -d -m 700{} {}", user.empty() ? "" : " -o " + user, facts.path));
  }
  if (!user.empty() && facts.owner != user)
    return problem("permissions", facts.path,
                   fmt::format("belongs to {}, and the service runs as {}", facts.owner, user),
                   fmt::format("chown -R {} {}", user, facts.path));
  if (user.empty() && !facts.is_writable)
    return problem("permissions", facts.path,
                   fmt::format("this user may not write it; it belongs to {}", facts.owner),
                   fmt::format("run the doctor as who runs the service, or chown -R USER {}", facts.path));
  if ((facts.mode & 0077U) != 0)
    return warning("permissions", facts.path,
                   fmt::format("others than {} may look into it (mode {:o})", facts.owner, facts.mode),
                   fmt::format("chmod 700 {}", facts.path));
  return ok("permissions", facts.path, fmt::format("belongs to {}, mode {:o}", facts.owner, facts.mode));
}

}  // namespace

Findings check_configuration(const ConfigurationFacts& facts) {
  const std::string about = facts.path.empty() ? "no file" : facts.path;
  Findings findings;
  for_each_line(facts.errors, [&](std::string_view line) {
    findings.push_back(problem("configuration", about, std::string(line),
                               "mend it; the daemon does not start with it, nor reload it"));
  });
  for (const std::string& each : facts.warnings)
    findings.push_back(warning("configuration", about, each, "mend it"));
  if (findings.empty()) findings.push_back(ok("configuration", about, "is valid"));
  return findings;
}

Findings check_folder(const FolderFacts& facts, Holds holds, const std::string& user) {
  if (!facts.trouble.empty())
    return {problem("permissions", facts.path, facts.trouble, fmt::format("name another {}", facts.label))};
  Findings findings{check_access(facts, user), check_file_system(facts, holds), check_room(facts)};
  if (facts.sync_took || !facts.sync_error.empty()) findings.push_back(check_sync(facts));
  return findings;
}

Finding check_clock(const ClockFacts& facts) {
  const std::string fix =
      "run chrony or systemd-timesyncd (timedatectl set-ntp true); in a container: on its host";
  if (!facts.trouble.empty())
    return warning("clock", "this machine", "the kernel does not say: " + facts.trouble, fix);
  if (!facts.is_synchronised) return warning("clock", "this machine", "is not synchronised", fix);
  const std::chrono::duration<double> error = facts.most_error;
  return ok("clock", "this machine", fmt::format("synchronised, off by {:.3f} s at most", error.count()));
}

Finding check_offset(milliseconds offset, milliseconds round_trip) {
  const std::string seen = fmt::format("{:+.3f} s against ours", static_cast<double>(offset.count()) / 1000);
  const milliseconds off = std::max(milliseconds(0), std::chrono::abs(offset) - round_trip / 2);
  const std::string fix = "synchronise both clocks: samples carry the host's time";
  if (off >= std::chrono::minutes(5))
    return problem("clock", "the aggregator's", seen + ": rules and queries for now do not see this host",
                   fix);
  if (off >= std::chrono::seconds(1)) return warning("clock", "the aggregator's", seen, fix);
  return ok("clock", "the aggregator's", seen);
}

Finding check_certificate(const CertificateFacts& facts, std::int64_t now_ms) {
  constexpr std::int64_t kDayMs = 86'400'000;
  if (!facts.trouble.empty())
    return problem("certificates", facts.about, facts.trouble,
                   "another file or mode; docs/operations.md says how certificates are made");
  const std::string whose = facts.name.empty() ? "" : facts.name + ", ";
  if (now_ms < facts.not_before_ms)
    return problem("certificates", facts.about,
                   fmt::format("{}valid only from {}", whose, format_rfc3339(facts.not_before_ms)),
                   "look at the clocks of this machine and of who made it");
  const std::int64_t left = facts.not_after_ms - now_ms;
  if (left <= 0)
    return problem("certificates", facts.about,
                   fmt::format("{}expired at {}", whose, format_rfc3339(facts.not_after_ms)),
                   "make or request a new one; nobody who checks it connects");
  const std::string seen = fmt::format("{}valid for another {}, until {}", whose,
                                       format_age(milliseconds(left)), format_rfc3339(facts.not_after_ms));
  if (left < 14 * kDayMs) return warning("certificates", facts.about, seen, "renew it in time");
  return ok("certificates", facts.about, seen);
}

Finding check_port(const PortFacts& facts) {
  if (facts.is_taken && facts.is_ours) return ok("ports", facts.about, "the daemon listens");
  if (facts.is_taken)
    return problem("ports", facts.about, "something else listens there",
                   "ss -ltnp names it: end it, or choose another port");
  if (!facts.bind_error.empty())
    return problem("ports", facts.about, "cannot be listened at: " + facts.bind_error,
                   "an address of this machine (ip addr) and a port from 1024 on");
  return ok("ports", facts.about, "free; nobody listens now");
}

Finding check_open_files(const OpenFilesFacts& facts, std::uint64_t wanted, std::uint64_t least) {
  const std::string about = "open files";
  const std::string seen = fmt::format("{} limit is {}", facts.whose, facts.limit);
  const std::string fix = fmt::format("LimitNOFILE={} in the unit, or ulimit -n {}", wanted, wanted);
  if (facts.limit < least) return problem("limits", about, seen, fix);
  if (facts.limit < wanted)
    return warning("limits", about, fmt::format("{}, {} would be right", seen, wanted), fix);
  return ok("limits", about, seen);
}

Finding check_unit(const UnitFacts& facts) {
  if (!facts.is_systemd) return ok("service", facts.name, "systemd does not run this machine");
  if (!facts.is_loaded())
    return warning("service", facts.name, "there is no such unit",
                   "install the package, or the unit of docs/operations.md: nobody starts it after a boot");
  const std::string start = fmt::format("systemctl enable --now {}", facts.name);
  if (facts.active_state == "failed")
    return problem(
        "service", facts.name, fmt::format("failed ({})", facts.result),
        fmt::format("journalctl -u {} -n 50 says why; then systemctl restart {}", facts.name, facts.name));
  if (facts.active_state != "active")
    return warning("service", facts.name, "is " + facts.active_state, start);
  if (facts.unit_file_state == "disabled")
    return warning("service", facts.name, "runs, and will not after a boot", start);
  if (facts.restarts > 0)
    return warning("service", facts.name, fmt::format("runs, after {}", counted(facts.restarts, "restart")),
                   fmt::format("journalctl -u {} says why it ended", facts.name));
  return ok("service", facts.name, "runs");
}

namespace {

/// "1.2.3" without its last part: what must be the same.
std::string_view line_of(std::string_view version) {
  return version.substr(0, version.rfind('.'));
}

}  // namespace

Finding check_version(std::string about, const std::string& ours, const std::string& theirs) {
  if (ours == theirs) return ok("versions", std::move(about), ours);
  const std::string seen = fmt::format("{} there, {} here", theirs, ours);
  const std::string fix = "upgrade the aggregator first, then agents and command lines";
  return line_of(ours) == line_of(theirs) ? ok("versions", std::move(about), seen)
                                          : warning("versions", std::move(about), seen, fix);
}

}  // namespace vigil::doctor
