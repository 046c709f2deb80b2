#include "common/config/guard.h"

#include <sys/stat.h>

#include <cerrno>

namespace vigil::config {

Result<Readers> readers_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, path);
  if ((info.st_mode & S_IRWXO) != 0) return Readers::everybody;
  return (info.st_mode & S_IRWXG) != 0 && info.st_uid != 0 ? Readers::group : Readers::those_meant;
}

}  // namespace vigil::config
