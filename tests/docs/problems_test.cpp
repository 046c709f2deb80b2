// docs/operations.md says of every problem that the aggregator can report what it means and what to do.
#include "aggregator/status.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace vigil {
namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// "the clock of … is … s off", in its pieces.
using Pattern = std::vector<std::string>;

Pattern pieces_of(std::string_view text) {
  constexpr std::string_view kGap = "…";
  Pattern pieces;
  for (std::size_t gap = text.find(kGap); gap != text.npos; gap = text.find(kGap)) {
    pieces.emplace_back(text.substr(0, gap));
    text.remove_prefix(gap + kGap.size());
  }
  pieces.emplace_back(text);
  return pieces;
}

bool fits(const Pattern& pattern, std::string_view text) {
  if (!text.starts_with(pattern.front())) return false;
  for (const std::string& piece : pattern) {
    const std::size_t at = text.find(piece);
    if (at == text.npos) return false;
    text.remove_prefix(at + piece.size());
  }
  return true;
}

/// The first column of the table.
std::vector<Pattern> described() {
  const std::string page = text_of(VIGIL_SOURCE_DIR "/docs/operations.md");
  const std::size_t begin = page.find("\n### What the aggregator reports\n");
  REQUIRE(begin != page.npos);
  const std::string section = page.substr(begin, page.find("\n## ", begin) - begin);
  constexpr std::string_view kRow = "\n| `";
  std::vector<Pattern> patterns;
  for (std::size_t at = section.find(kRow); at != section.npos; at = section.find(kRow, at + 1)) {
    const std::size_t text = at + kRow.size();
    patterns.push_back(pieces_of(std::string_view(section).substr(text, section.find('`', text) - text)));
  }
  return patterns;
}

struct Reported {
  std::vector<std::string> texts;  // as they begin in the source, {} for what differs
  std::size_t made_elsewhere = 0;  // calls without a text of their own
};

Reported reported() {
  constexpr std::string_view kCall = "add_problems(";
  Reported out;
  for (const auto& file : std::filesystem::recursive_directory_iterator(VIGIL_SOURCE_DIR "/aggregator")) {
    if (file.path().extension() != ".cpp") continue;
    const std::string source = text_of(file.path());
    for (std::size_t at = source.find(kCall); at != source.npos; at = source.find(kCall, at + 1)) {
      const std::string call = source.substr(at, source.find(';', at) - at);
      const std::size_t quote = call.find('"');
      if (quote == call.npos) {
        ++out.made_elsewhere;
      } else {
        out.texts.push_back(call.substr(quote + 1, call.find('"', quote + 1) - quote - 1));
      }
    }
  }
  return out;
}

}  // namespace

TEST_CASE("every problem the aggregator can report stands in docs/operations.md") {
  Reported all = reported();
  CHECK(all.texts.size() > 10);
  CHECK(all.made_elsewhere == 2);  // these two:
  all.texts.push_back(aggregator::reload_problem("a.yml:1:1: x"));
  all.texts.emplace_back("shard 3 has been busy with one thing for 31 s");
  const std::vector<Pattern> patterns = described();
  for (const std::string& text : all.texts) {
    CAPTURE(text);
    CHECK(std::ranges::any_of(patterns, [&](const Pattern& pattern) { return fits(pattern, text); }));
  }
}

}  // namespace vigil
