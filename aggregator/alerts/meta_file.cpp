#include "aggregator/alerts/meta_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace vigil::alerts {
namespace {

std::string loss_of(std::string_view what) {
  return fmt::format(
      "meta.db is {}: alerts begin anew, and silences and messages that waited are lost; "
      "restore a backup to have them back",
      what);
}

}  // namespace

std::string loss_without(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (error) return loss_of("missing, somebody removed it");
  return bytes == 0 ? loss_of("empty, somebody emptied it") : std::string();
}

Result<std::string> set_aside(const std::string& path) {
  for (const char* suffix : {"-shm", "-wal", ""}) {
    const std::string from = path + suffix;
    const std::string to = path + ".damaged" + suffix;
    ::unlink(to.c_str());  // the log of another one must not stay beside it
    if (::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT)
      return fail_errno(errno, fmt::format("rename {} to {}", from, to));
  }
  return loss_of("damaged and set aside as meta.db.damaged");
}

}  // namespace vigil::alerts
