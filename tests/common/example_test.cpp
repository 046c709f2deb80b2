#include "common/config/example.h"

#include "tests/support/catch.h"
#include "tests/support/switched_on.h"

#include <sstream>

namespace vigil::config {
namespace {

struct Target {
  std::string url;
  std::chrono::milliseconds timeout{10'000};
};
void describe(Fields& fields, Target& target) {
  fields.field("url", target.url, "Where it is.");
  fields.field("timeout", target.timeout, "How long it may take.");
}

struct Step {
  std::string name;
  Target target;
};
void describe(Fields& fields, Step& step) {
  fields.field("name", step.name, "Its name.");
  fields.field("target", step.target, "What it asks.");
}

struct Limits {
  int most = 5;
  std::optional<int> least;
  std::string pattern = "^(a|it's)$";
};
void describe(Fields& fields, Limits& limits) {
  fields.field("most", limits.most, "At most.");
  fields.field("least", limits.least, "At least.");
  fields.field("pattern", limits.pattern, "Which.");
}

struct Sample {
  std::string name;
  Limits limits;
  std::vector<Step> steps;
  std::map<std::string, Target> peers;
};
void describe(Fields& fields, Sample& sample) {
  fields.field("name", sample.name, "A name.");
  fields.field("limits", sample.limits, "What is too much.");
  fields.field("steps", sample.steps, "What is done.");
  fields.field("peers", sample.peers, "Who else.");
}

const std::string kSample = R"(
## A name. (text)
#name: ''

## What is too much.
#limits:
#  # At most. (whole number)
#  most: 5
#  # # At least. (whole number)
#  # least:
#  # Which. (text)
#  pattern: '^(a|it''s)$'

## What is done. (list of mapping)
#steps: []
#  #   # Its name. (text)
#  # - name: ''
#  #   # What it asks.
#  #   target:
#  #     # Where it is. (text)
#  #     url: ''
#  #     # How long it may take. (duration)
#  #     timeout: 10s

## Who else. (mapping to mapping)
#peers: {}
#  # <name>:
#  #   # Where it is. (text)
#  #   url: ''
#  #   # How long it may take. (duration)
#  #   timeout: 10s
)";

}  // namespace

TEST_CASE("an example has every key at its place, switched off, and items that are only shown") {
  const std::string text = example("it", document(Sample{}));
  CHECK(text.substr(text.find("\n\n") + 1) == kSample);
}

TEST_CASE("an example changes nothing, as it is or with every key switched on") {
  const std::string text = example("it", document(Sample{}));
  for (const std::string& yaml : {text, test::switched_on(text)}) {
    INFO(yaml);
    Sample sample;
    const auto loaded = load_text(yaml, "it.yml", sample);
    CAPTURE(loaded);
    REQUIRE(loaded);
    CHECK(to_markdown(document(sample)) == to_markdown(document(Sample{})));
  }
}

TEST_CASE("long explanations are broken between words") {
  const std::string doc = "begin " + std::string(120, 'x') + " and then " + std::string(60, 'y') + " end.";
  std::istringstream lines(example("it", {{"key", "text", "", doc}}));
  std::string all;
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    CHECK((line.size() <= 100 || line.find(std::string(120, 'x')) != std::string::npos));
    if (line.starts_with("## ")) all += line.substr(3) + ' ';
  }
  CHECK(all.find(doc) != std::string::npos);
}

}  // namespace vigil::config
