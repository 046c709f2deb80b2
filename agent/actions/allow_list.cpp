#include "agent/actions/allow_list.h"

#include "common/process/program.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

namespace vigil::agent {
namespace {

constexpr std::chrono::milliseconds kLongestRun = std::chrono::hours(1);

Result<void> check_owner(const std::string& path, uid_t owner) {
  struct stat entry {};
  if (::stat(path.c_str(), &entry) != 0) return fail_errno(errno, path);
  if (entry.st_uid != owner)
    return fail(Errc::permission, "{} must belong to root: chown root {}", path, path);
  if ((entry.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(Errc::permission, "{} may be changed by others than root: chmod go-w {}", path, path);
  return {};
}

}  // namespace

void describe(config::Fields& fields, AllowedAction& action) {
  fields.required("command", action.command, "The program's absolute path, and all of its arguments.");
  fields.field("timeout", action.timeout, "How long it may run before it is killed.");
  fields.require("timeout", action.timeout.count() > 0 && action.timeout <= kLongestRun,
                 "must be more than 0 and at most 1h");
  const std::string_view fault =
      action.command.empty() ? "names no program" : fault_of_program(action.command.front());
  fields.require(
      "command", fault.empty(),
      action.command.empty() ? std::string(fault) : fmt::format("{} {}", action.command.front(), fault));
}

void describe(config::Fields& fields, AllowList& list) {
  fields.field("actions", list.actions, "What may be run, by the name it is asked for.");
}

Result<AllowList> read_allow_list(const std::string& path, uid_t owner) {
  // Whoever may change the folder may put another file there.
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  for (const std::string& each : {folder, path}) {
    if (auto fine = check_owner(each, owner); !fine) return fine.error();
  }
  AllowList list;
  if (auto loaded = config::load_file(path, list); !loaded) return loaded.error();
  return list;
}

}  // namespace vigil::agent
