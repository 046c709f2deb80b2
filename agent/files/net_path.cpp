#include "agent/files/net_path.h"

#include <fmt/format.h>
#include <unistd.h>

namespace vigil::agent {

std::string net_path(const std::string& procfs, std::string_view name) {
  std::string path = fmt::format("{}/1/net/{}", procfs, name);
  if (::access(path.c_str(), R_OK) != 0) path = fmt::format("{}/net/{}", procfs, name);
  return path;
}

}  // namespace vigil::agent
