// Recorded answers of container runtimes, and waiting for a thread with a deadline instead of sleeping.
#pragma once

#include "tests/agent/containers/fake_runtime.h"
#include "tests/support/catch.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace vigil::test {

inline std::filesystem::path fixture_path(const std::string& relative) {
  return std::filesystem::path(VIGIL_SOURCE_DIR) / "tests" / "fixtures" / relative;
}

inline std::string fixture(const std::string& relative) {
  std::ifstream file(fixture_path(relative), std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline const std::string kHealthyId = "0aa5e04d6a6ea6f216b8bdce56424b4e0480394aa03fffd8d8b548b14cdc66ba";
inline const std::string kStoppedId = "61f021739a5f21e9a669b7a3c620752c43ab41d03092a3a434278db0750a8d62";

/// Lets `runtime` answer as the recorded Docker Engine did.
inline void play_docker(FakeRuntime& runtime) {
  runtime.set("/version", fixture("docker/version.json"));
  runtime.set("/containers/json", fixture("docker/list.json"));
  for (const auto& entry : std::filesystem::directory_iterator(fixture_path("docker"))) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("inspect_")) continue;
    const std::string text = fixture("docker/" + name);
    const std::size_t id = text.find("\"Id\":\"") + 6;
    runtime.set("/containers/" + text.substr(id, 64) + "/json", text);
  }
}

/// Polls until `condition` holds; false when it does not within ten seconds.
template <class Condition>
bool eventually(Condition condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace vigil::test
