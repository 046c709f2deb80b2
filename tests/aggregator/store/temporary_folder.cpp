#include "tests/aggregator/store/temporary_folder.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace vigil::aggregator::testing {
namespace {

std::filesystem::path quick_folder() {
  std::error_code absent;
  const std::filesystem::path memory = "/dev/shm";
  return std::filesystem::is_directory(memory, absent) ? memory : std::filesystem::temp_directory_path();
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (quick_folder() / "vigil-store-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    std::perror(name.c_str());
    std::abort();
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace vigil::aggregator::testing
