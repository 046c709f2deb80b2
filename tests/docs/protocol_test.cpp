// The protocol's reference is its comments: this test fails for a declaration without one.
#include "tests/support/catch.h"

#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace vigil {
namespace {

struct Undocumented {
  std::size_t declarations = 0;
  std::vector<std::string> lines;  // "file:line: declaration"
};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

/// Every line with code declares something (field, enum value, message, enum, oneof, service, rpc), apart
/// from closing braces and the head of the file. No string in these files holds "//".
bool declares(std::string_view code) {
  for (const std::string_view head : {"syntax ", "package ", "import ", "option "}) {
    if (code.starts_with(head)) return false;
  }
  return code.find_first_not_of("{}; \t") != std::string_view::npos;
}

Undocumented undocumented(std::istream& text, std::string_view file) {
  Undocumented found;
  bool comment_above = false;
  std::size_t number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    const std::size_t comment = std::string_view(line).find("//");
    const std::string_view code = trimmed(std::string_view(line).substr(0, comment));
    const bool says_something =
        comment != std::string::npos && !trimmed(std::string_view(line).substr(comment + 2)).empty();
    if (declares(code)) {
      ++found.declarations;
      if (!says_something && !comment_above)
        found.lines.push_back(fmt::format("{}:{}: {}", file, number, code));
    }
    comment_above = says_something && code.empty();
  }
  return found;
}

}  // namespace

TEST_CASE("every declaration of the protocol has a comment on its line or the line above") {
  for (const std::string name :
       {"ingest", "query", "fleet", "store", "rules", "actions", "access", "needs", "identity", "login"}) {
    const std::string file = "proto/vigil/v1/" + name + ".proto";
    std::ifstream text(VIGIL_SOURCE_DIR "/" + file, std::ios::binary);
    REQUIRE(text);
    const Undocumented found = undocumented(text, file);
    CHECK(found.declarations > 5);
    for (const std::string& line : found.lines) FAIL_CHECK(line);
  }
}

TEST_CASE("a declaration without a comment is found, also below one with a trailing comment") {
  std::istringstream text(
      "syntax = \"proto3\";\n"
      "// A host.\n"
      "message Host {\n"
      "  string name = 1;  // who\n"
      "  uint64 series = 2;\n"
      "  // When.\n"
      "  int64 since_ms = 3;\n"
      "  // Detached.\n"
      "\n"
      "  bool up = 4;\n"
      "  bool left = 5;  //\n"
      "}\n"
      "enum State {\n"
      "}\n");
  const Undocumented found = undocumented(text, "a.proto");
  CHECK(found.declarations == 7);
  CHECK(found.lines == std::vector<std::string>{"a.proto:5: uint64 series = 2;", "a.proto:10: bool up = 4;",
                                                "a.proto:11: bool left = 5;", "a.proto:13: enum State {"});
}

}  // namespace vigil
