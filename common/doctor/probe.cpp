#include "common/doctor/probe.h"

#include "common/config/files.h"
#include "common/process/program.h"
#include "common/text/utf8.h"
#include "common/tls/certificate.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <netdb.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

namespace vigil::doctor {
namespace {

using Steady = std::chrono::steady_clock;

std::string error_text(int number) {
  return std::generic_category().message(number);
}

std::string name_of(long magic) {
  constexpr std::array<std::pair<unsigned long, std::string_view>, 14> kNames = {
      {{EXT4_SUPER_MAGIC, "ext4"},
       {0x58465342, "xfs"},
       {BTRFS_SUPER_MAGIC, "btrfs"},
       {F2FS_SUPER_MAGIC, "f2fs"},
       {0x2fc12fc1, "zfs"},
       {TMPFS_MAGIC, "tmpfs"},
       {OVERLAYFS_SUPER_MAGIC, "overlay"},
       {NFS_SUPER_MAGIC, "nfs"},
       {0xff534d42, "cifs"},
       {0xfe534d42, "smb2"},
       {0x65735546, "fuse"},
       {V9FS_MAGIC, "9p"},
       {CEPH_SUPER_MAGIC, "ceph"},
       {AFS_FS_MAGIC, "afs"}}};
  const auto value = static_cast<unsigned long>(magic) & 0xffffffffUL;
  for (const auto& [number, name] : kNames) {
    if (number == value) return std::string(name);
  }
  return fmt::format("file system {:#x}", value);
}

std::string user_name_of(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> buffer{};
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return found->pw_name;
  return std::to_string(uid);
}

/// The folder itself, or the nearest one above it that is there.
std::string nearest_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::path nearest = std::filesystem::absolute(path, error).lexically_normal();
  while (!std::filesystem::exists(nearest, error) && nearest.has_relative_path())
    nearest = nearest.parent_path();
  return nearest.string();
}

/// A file without a name is gone when it is closed, whatever happens (open(2), O_TMPFILE).
void try_sync(const std::string& folder, FolderFacts& facts) {
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return;  // may not write here, or this file system has no such files
  constexpr std::array<char, 4096> kBlock{};
  const auto began = Steady::now();
  if (::write(fd, kBlock.data(), kBlock.size()) != static_cast<ssize_t>(kBlock.size()) || ::fsync(fd) != 0)
    facts.sync_error = error_text(errno);
  facts.sync_took = std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - began);
  ::close(fd);
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

std::unique_ptr<addrinfo, FreeAddresses> resolve(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* list = nullptr;
  const std::string port = std::to_string(address.port);
  const char* host = address.host.empty() ? nullptr : address.host.c_str();
  if (::getaddrinfo(host, port.c_str(), &hints, &list) != 0) return nullptr;
  return std::unique_ptr<addrinfo, FreeAddresses>(list);
}

/// What keeps one from listening; 0: nothing. Left at once: nobody can connect to what does not listen(2).
int bind_error(const addrinfo& at) {
  const int fd = ::socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);  // as daemons do: TIME_WAIT is no hindrance
  const int error = ::bind(fd, at.ai_addr, at.ai_addrlen) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

void fill_in(const std::string& pem, CertificateFacts& facts) {
  const auto certificate = tls::read_certificate(pem);
  if (!certificate) {
    facts.trouble = certificate.error().message;
    return;
  }
  facts.name = printable(certificate->common_name);
  facts.not_before_ms = certificate->not_before_ms;
  facts.not_after_ms = certificate->not_after_ms;
}

}  // namespace

FolderFacts look_at_folder(std::string label, const std::string& path) {
  FolderFacts facts;
  facts.label = std::move(label);
  facts.path = path;
  const std::string folder = nearest_folder(path);
  std::error_code error;
  facts.is_there = std::filesystem::exists(path, error);
  struct stat info {};
  struct statfs system {};
  struct statvfs room {};
  if (::stat(folder.c_str(), &info) != 0 || ::statfs(folder.c_str(), &system) != 0 ||
      ::statvfs(folder.c_str(), &room) != 0) {
    facts.trouble = fail_errno(errno, folder).message;
    return facts;
  }
  if (!S_ISDIR(info.st_mode)) {
    facts.trouble = folder + " is no folder";
    return facts;
  }
  facts.owner = user_name_of(info.st_uid);
  facts.mode = info.st_mode & 07777U;
  facts.is_writable = ::access(folder.c_str(), W_OK | X_OK) == 0;
  facts.file_system = name_of(system.f_type);
  facts.free_bytes = std::uint64_t{room.f_bavail} * room.f_frsize;
  facts.total_bytes = std::uint64_t{room.f_blocks} * room.f_frsize;
  facts.free_inodes = room.f_favail;
  facts.total_inodes = room.f_files;
  if (facts.is_writable) try_sync(folder, facts);
  return facts;
}

std::string owner_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? user_name_of(info.st_uid) : std::string();
}

ClockFacts look_at_clock() {
  timex clock{};  // modes 0: only looks, adjtimex(2)
  const int state = ::adjtimex(&clock);
  ClockFacts facts;
  if (state < 0) facts.trouble = error_text(errno);
  facts.is_synchronised = state >= 0 && state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
  facts.most_error = std::chrono::microseconds(clock.maxerror);
  return facts;
}

OpenFilesFacts look_at_open_files(const UnitFacts& unit) {
  if (unit.is_loaded() && unit.open_files > 0) return {unit.open_files, "the service's"};
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return {limit.rlim_max, "this session's"};  // daemons raise the soft one
}

UnitFacts parse_unit(std::string name, const std::string& shown) {
  UnitFacts facts;
  facts.name = std::move(name);
  facts.is_systemd = true;
  const auto number = [](std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  for (std::size_t begin = 0; begin < shown.size();) {
    const std::size_t end = std::min(shown.find('\n', begin), shown.size());
    const std::string_view line(shown.data() + begin, end - begin);
    begin = end + 1;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals);
    const std::string value(line.substr(equals + 1));
    if (key == "LoadState") facts.load_state = value;
    if (key == "ActiveState") facts.active_state = value;
    if (key == "Result") facts.result = value;
    if (key == "UnitFileState") facts.unit_file_state = value;
    if (key == "User") facts.user = value;
    if (key == "StateDirectory") facts.state_directory = value.substr(0, value.find(' '));
    if (key == "NRestarts") facts.restarts = number(value);
    if (key == "LimitNOFILE") facts.open_files = number(value);
  }
  return facts;
}

UnitFacts look_at_unit(const std::string& name) {
  UnitFacts none;
  none.name = name;
  std::error_code error;
  // What sd_booted(3) looks at.
  if (!std::filesystem::is_directory("/run/systemd/system", error)) return none;
  Program systemctl;
  ProgramCall call;
  call.command = {"/usr/bin/systemctl", "show", name, "--property",
                  "LoadState,ActiveState,Result,UnitFileState,User,StateDirectory,NRestarts,LimitNOFILE"};
  call.environment = {kProgramPath, "LC_ALL=C"};
  call.timeout = std::chrono::seconds(3);
  call.keep = ProgramCall::Keep::everything;
  if (!systemctl.start(std::move(call), Program::Clock::now())) return none;
  const std::atomic<bool> never = false;
  const auto end = run_to_end(systemctl, never);
  return end && end->is_fine() ? parse_unit(name, end->output) : none;
}

PortFacts look_at_port(const std::string& key, const Address& address) {
  PortFacts facts;
  facts.about = fmt::format("{} {}", key, address.to_string());
  const auto found = resolve(address);
  if (found == nullptr) {
    facts.bind_error = fmt::format("{} is no address", address.host);
    return facts;
  }
  const int error = bind_error(*found);
  facts.is_taken = error == EADDRINUSE;
  if (error != 0 && error != EADDRINUSE) facts.bind_error = error_text(error);
  return facts;
}

namespace {

/// What keeps a private key from being used; "" when nothing does.
std::string fault_of_key(const std::string& path, const std::string& certificate_path) {
  const auto key = config::read_private_key(path);
  if (!key) return key.error().message;
  const auto certificate = config::read_certificates(certificate_path);
  if (!certificate) return {};  // which has a finding of its own
  const auto pair = tls::check_pair(*certificate, *key);
  return pair ? "" : fmt::format("{} and {}: {}", certificate_path, path, pair.error().message);
}

CertificateFacts look_at_certificate(const TlsFile& file) {
  CertificateFacts facts;
  const auto text = config::read_certificates(file.path);
  if (text) {
    fill_in(*text, facts);
  } else {
    facts.trouble = text.error().message;
  }
  return facts;
}

}  // namespace

Findings look_at_tls_files(const std::vector<TlsFile>& files, std::int64_t now_ms) {
  Findings findings;
  std::string certificate_path;
  for (const TlsFile& file : files) {
    const bool is_key = file.is_key == Key::yes;
    if (!is_key) certificate_path = file.path;
    if (file.path.empty()) continue;
    CertificateFacts facts = is_key ? CertificateFacts{} : look_at_certificate(file);
    if (is_key) facts.trouble = fault_of_key(file.path, certificate_path);
    facts.about = fmt::format("{} {}", file.key, file.path);
    findings.push_back(
        is_key && facts.trouble.empty()
            ? ok("certificates", facts.about, "is the certificate's key, and nobody else may read it")
            : check_certificate(facts, now_ms));
  }
  return findings;
}

CertificateFacts read_certificate_facts(std::string about, const std::string& pem) {
  CertificateFacts facts;
  facts.about = std::move(about);
  fill_in(pem, facts);
  return facts;
}

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "unknown";
}

}  // namespace vigil::doctor
