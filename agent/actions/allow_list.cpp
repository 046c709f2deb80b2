#include "agent/actions/allow_list.h"

#include "common/process/program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>

namespace vigil::agent {
namespace {

constexpr std::chrono::milliseconds kLongestRun = std::chrono::hours(1);

std::string fault_of_owner(const struct stat& entry, const std::string& path, uid_t owner) {
  if (entry.st_uid != owner) return fmt::format("{} must belong to root: chown root {}", path, path);
  if ((entry.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fmt::format("{} may be changed by others than root: chmod go-w {}", path, path);
  return {};
}

/// The file's text. It is looked at once it is open: nobody can put another one in its place in between.
Result<std::string> read_owned(const std::string& path, uid_t owner) {
  constexpr std::size_t kMostBytes = 1 << 20;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return fail_errno(errno, path);
  const std::unique_ptr<const int, void (*)(const int*)> closer(&file, [](const int* fd) { ::close(*fd); });
  struct stat entry {};
  if (::fstat(file, &entry) != 0) return fail_errno(errno, path);
  if (!S_ISREG(entry.st_mode)) return fail(Errc::invalid_argument, "{} is no file", path);
  if (const std::string fault = fault_of_owner(entry, path, owner); !fault.empty())
    return Error{Errc::permission, fault};
  std::string text;
  std::array<char, 4096> chunk{};
  while (const ssize_t count = ::read(file, chunk.data(), chunk.size())) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, path);
    text.append(chunk.data(), static_cast<std::size_t>(count));
    if (text.size() > kMostBytes) return fail(Errc::limit, "{} is longer than 1 MiB", path);
  }
  return text;
}

}  // namespace

void describe(config::Fields& fields, AllowedAction& action) {
  fields.required("command", action.command, "The program's absolute path, and all of its arguments.");
  fields.field("timeout", action.timeout, "How long it may run before it is killed.");
  fields.require("timeout", action.timeout.count() > 0 && action.timeout <= kLongestRun,
                 "must be more than 0 and at most 1h");
  const auto has_nul = [](const std::string& word) { return word.find('\0') != std::string::npos; };
  fields.require("command", !action.command.empty() && action.command.front().starts_with('/'),
                 "must be a list of the program's absolute path and its arguments");
  fields.require("command", std::none_of(action.command.begin(), action.command.end(), has_nul),
                 "must not have NUL");
}

void describe(config::Fields& fields, AllowList& list) {
  fields.field("actions", list.actions, "What may be run, by the name it is asked for.");
}

std::string fault_of(const AllowedAction& action, uid_t owner) {
  const std::string& path = action.command.front();
  if (const std::string_view fault = fault_of_program(path); !fault.empty())
    return fmt::format("{} {}", path, fault);
  struct stat entry {};
  if (::stat(path.c_str(), &entry) != 0) return fmt::format("{} cannot be found", path);
  // It runs as who may change it says.
  const uid_t allowed = entry.st_uid == 0 ? 0 : owner;
  return fault_of_owner(entry, path, allowed);
}

Result<AllowList> read_allow_list(const std::string& path, uid_t owner) {
  // Whoever may change the folder may put another file there.
  std::error_code error;
  const std::string folder = std::filesystem::absolute(path, error).parent_path().string();
  struct stat entry {};
  if (error || ::stat(folder.c_str(), &entry) != 0) return fail_errno(error ? error.value() : errno, folder);
  if (const std::string fault = fault_of_owner(entry, folder, owner); !fault.empty())
    return Error{Errc::permission, fault};
  const auto text = read_owned(path, owner);
  if (!text) return text.error();
  AllowList list;
  if (auto loaded = config::load_text(*text, path, list); !loaded) return loaded.error();
  return list;
}

}  // namespace vigil::agent
