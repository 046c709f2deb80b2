// A folder that goes with the test.
#pragma once

#include <filesystem>

namespace vigil::aggregator::testing {

/// In memory where the system has such a file system: nothing in it outlives a power cut anyway, and a sync
/// that costs nothing makes tests ten times faster.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace vigil::aggregator::testing
