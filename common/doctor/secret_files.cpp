#include "common/doctor/secret_files.h"

#include "common/doctor/probe.h"
#include "common/error.h"
#include "common/text/human.h"
#include "common/text/shell_word.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace vigil::doctor {
namespace {

constexpr std::string_view kPermissions = "permissions";

/// systemd has it for the service while that runs (LoadCredential=), with rights of its own.
bool is_credential(const std::string& path) {
  return path.starts_with("/run/credentials/");
}

/// An access control list says more than the mode.
bool has_list(const std::string& path) {
  return ::getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) > 0;
}

/// Whether a user may read a file, as far as that file says. Not whether he gets to it.
bool may_read(const std::string& path, const struct stat& info, const std::string& user) {
  const passwd* const entry = user.empty() ? nullptr : ::getpwnam(user.c_str());
  if (entry == nullptr || entry->pw_uid == 0 || has_list(path)) return true;
  if (info.st_uid == entry->pw_uid) return (info.st_mode & S_IRUSR) != 0;
  constexpr int kMostGroups = 256;
  std::vector<gid_t> groups(kMostGroups);
  int count = kMostGroups;
  if (::getgrouplist(user.c_str(), entry->pw_gid, groups.data(), &count) < 0) return true;
  groups.resize(static_cast<std::size_t>(count));
  if (std::ranges::find(groups, info.st_gid) != groups.end()) return (info.st_mode & S_IRGRP) != 0;
  return (info.st_mode & S_IROTH) != 0;
}

std::optional<SecretFile> look_at(const std::string& path, Keeper keeper, const std::string& user) {
  SecretFile file;
  file.path = path;
  file.keeper = keeper;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT && keeper == Keeper::service) return std::nullopt;  // it was not needed yet
    file.trouble = fail_errno(errno, path).message;
    return file;
  }
  file.owner = owner_of(path);
  file.mode = info.st_mode & 07777U;
  if (const auto readers = config::readers_of(path)) file.readers = *readers;
  file.service_may_read = may_read(path, info, user);
  return file;
}

std::string group_of(const std::string& user) {
  const passwd* const entry = user.empty() ? nullptr : ::getpwnam(user.c_str());
  const group* const primary = entry == nullptr ? nullptr : ::getgrgid(entry->pw_gid);
  return primary == nullptr ? "GROUP" : primary->gr_name;
}

/// root's to change, and the service's to read.
std::string give_to_group(const SecretFile& file, const std::string& user) {
  const std::string path = shell_word(file.path);
  return fmt::format("chown root:{} {} && chmod 640 {}", group_of(user), path, path);
}

std::optional<Finding> fault_of_own(const SecretFile& file, const std::string& user) {
  if (!user.empty() && file.owner != user)
    return problem(kPermissions, file.path,
                   fmt::format("belongs to {}, and the service runs as {}", file.owner, user),
                   fmt::format("chown {} {}", user, shell_word(file.path)));
  if ((file.mode & 0077U) != 0)
    return warning(kPermissions, file.path,
                   fmt::format("others than {} may read it (mode {:o})", file.owner, file.mode),
                   "chmod 600 " + shell_word(file.path));
  return std::nullopt;
}

std::optional<Finding> fault_of_named(const SecretFile& file, const std::string& user) {
  if (!file.service_may_read)
    return problem(
        kPermissions, file.path,
        fmt::format("{} may not read it: it belongs to {}, mode {:o}", user, file.owner, file.mode),
        give_to_group(file, user));
  if (file.readers != config::Readers::those_meant)
    return problem(
        kPermissions, file.path,
        fmt::format("{} may read it (mode {:o}), so it is refused",
                    file.readers == config::Readers::everybody ? "everybody" : "its group", file.mode),
        user.empty() ? "chmod 600 " + shell_word(file.path) : give_to_group(file, user));
  if (!user.empty() && file.owner != user && file.owner != "root")
    return warning(kPermissions, file.path, fmt::format("belongs to {}, who may change it", file.owner),
                   give_to_group(file, user));
  return std::nullopt;
}

std::optional<Finding> fault_of(const SecretFile& file, const std::string& user) {
  if (!file.trouble.empty())
    return problem(kPermissions, file.path, file.trouble,
                   "put it there, or run the doctor as root or as who runs the service");
  return file.keeper == Keeper::service ? fault_of_own(file, user) : fault_of_named(file, user);
}

}  // namespace

std::vector<SecretFile> look_at_secret_files(const std::vector<std::string>& paths, Keeper keeper,
                                             const std::string& user) {
  std::vector<SecretFile> files;
  for (const std::string& path : paths) {
    if (path.empty() || is_credential(path)) continue;
    if (auto file = look_at(path, keeper, user)) files.push_back(std::move(*file));
  }
  return files;
}

Findings check_secret_files(const std::vector<SecretFile>& files, const std::string& user) {
  Findings findings;
  for (const SecretFile& file : files) {
    if (auto fault = fault_of(file, user)) findings.push_back(std::move(*fault));
  }
  const std::size_t sound = files.size() - findings.size();
  if (sound > 0)
    findings.push_back(ok(kPermissions, "secrets", counted(sound, "file") + ", closed to others"));
  return findings;
}

}  // namespace vigil::doctor
