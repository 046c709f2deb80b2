// docs/configuration.md is made from the programs' own description of their keys; this test fails when it
// falls behind. VIGIL_UPDATE_DOCS=1 writes it anew.
#include "agent/config.h"
#include "aggregator/config.h"
#include "common/config/fields.h"
#include "tests/support/catch.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace vigil {
namespace {

const std::string kPath = VIGIL_SOURCE_DIR "/docs/configuration.md";

std::string reference() {
  return "# Configuration\n\n"
         "YAML, one file for each program, given with `--config`; every key has a default, so that no file "
         "is needed on loopback. `--check` validates a file\n"
         "without starting. Errors name file, line, column and key, and the key that was probably meant; "
         "unknown keys are errors. Flags win over the file.\n\n"
         "Paths in a file that are not absolute begin at the file's folder, those of flags at the working "
         "directory.\n\n"
         "A *duration* is `90s`, `1h30m`, `500ms`, `2d`; a *size* is `64MB` or `16MiB`. Secrets stand in "
         "files of their own (`*_file`).\n\n"
         "This page is made from the programs' own description of their keys "
         "(`tests/docs/configuration_test.cpp`).\n\n"
         "## vigil-aggregator\n\n" +
         config::to_markdown(config::document(aggregator::AggregatorConfig{})) +
         "\n## vigil-agent\n\n`collectors.<name>` takes a name of `vigil-agent --list-collectors`.\n\n" +
         config::to_markdown(config::document(agent::AgentConfig{}));
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("docs/configuration.md describes every key as the programs read it") {
  if (std::getenv("VIGIL_UPDATE_DOCS") != nullptr) std::ofstream(kPath, std::ios::binary) << reference();
  CHECK(read(kPath) == reference());
}

TEST_CASE("limits that are errors stand in the reference") {
  const std::string text = reference();
  for (const char* limit : {"Must be 1 to 5000.", "Must be 10s to 30m.", "Must be at least 1h.",
                            "Must be 1ms to 10s.", "Must be 100ms to 1h."}) {
    INFO(limit);
    CHECK(text.find(limit) != std::string::npos);
  }
}

TEST_CASE("every key has a meaning written down") {
  for (const auto& entries :
       {config::document(aggregator::AggregatorConfig{}), config::document(agent::AgentConfig{})}) {
    CHECK(entries.size() > 10);
    for (const auto& entry : entries) {
      INFO(entry.path);
      CHECK_FALSE(entry.doc.empty());
    }
  }
}

}  // namespace vigil
