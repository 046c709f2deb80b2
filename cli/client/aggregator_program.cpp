#include "cli/client/aggregator_program.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace vigil::cli {

namespace fs = std::filesystem;

Result<std::string> find_aggregator_program() {
  constexpr const char* kName = "vigil-aggregator";
  std::error_code error;
  const fs::path beside = fs::read_symlink("/proc/self/exe", error).parent_path() / kName;
  if (!error && ::access(beside.c_str(), X_OK) == 0) return beside.string();
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    const fs::path candidate = fs::path(rest.substr(0, colon)) / kName;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate.string();
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return fail(Errc::not_found, "there is no {} beside this program ({}) nor in PATH; install it", kName,
              beside.parent_path().string());
}

Error become_aggregator_program(const std::vector<std::string>& arguments) {
  const auto program = find_aggregator_program();
  if (!program) return program.error();
  std::vector<char*> argv{const_cast<char*>(program->c_str())};  // execv(3) changes nothing of it
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(program->c_str(), argv.data());
  return fail_errno(errno, "exec " + *program);
}

}  // namespace vigil::cli
