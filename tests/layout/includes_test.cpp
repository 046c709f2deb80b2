// The direction of dependencies: proto <- common <- {agent | aggregator | cli} <- tests. And what must not be
// in the tree.
#include "tests/support/catch.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace vigil {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> sources_below(const std::string& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(VIGIL_SOURCE_DIR) / folder)) {
    const auto extension = entry.path().extension();
    if (extension == ".cpp" || extension == ".h") paths.push_back(entry.path());
  }
  return paths;
}

/// Files of `folder` that include something from one of `forbidden`.
std::vector<std::string> trespassers(const std::string& folder, const std::vector<std::string>& forbidden) {
  std::vector<std::string> found;
  for (const fs::path& path : sources_below(folder)) {
    const std::string text = read(path);
    for (const std::string& other : forbidden) {
      if (text.find("#include \"" + other + "/") != std::string::npos)
        found.push_back(path.string() + " includes " + other);
    }
  }
  return found;
}

}  // namespace

TEST_CASE("agent, aggregator and command line never see each other, and common sees none of them") {
  CHECK(trespassers("common", {"agent", "aggregator", "cli", "tests"}) == std::vector<std::string>{});
  CHECK(trespassers("agent", {"aggregator", "cli", "tests"}) == std::vector<std::string>{});
  CHECK(trespassers("aggregator", {"agent", "cli", "tests"}) == std::vector<std::string>{});
  CHECK(trespassers("cli", {"agent", "aggregator", "tests"}) == std::vector<std::string>{});
}

TEST_CASE("leaves know neither gRPC nor SQLite nor Asio") {
  std::vector<std::string> found;
  for (const std::string folder :
       {"aggregator/promql", "aggregator/blocks", "agent/collectors", "agent/files"}) {
    for (const fs::path& path : sources_below(folder)) {
      const std::string text = read(path);
      for (const std::string header : {"#include <grpc", "#include <sqlite3.h>", "#include <boost/asio"}) {
        if (text.find(header) != std::string::npos) found.push_back(path.string() + ": " + header);
      }
    }
  }
  CHECK(found == std::vector<std::string>{});
}

TEST_CASE("main files stay thin") {
  for (const std::string program : {"agent", "aggregator", "cli"}) {
    const std::string text = read(fs::path(VIGIL_SOURCE_DIR) / program / "main.cpp");
    CHECK(std::count(text.begin(), text.end(), '\n') < 60);
  }
}

}  // namespace vigil
