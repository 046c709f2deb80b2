// What a configuration read again changes, and what of it a program takes.
#include "common/config/changes.h"

#include "tests/support/catch.h"

namespace vigil::config {

struct ChangesLeaf {
  int port = 25;
  std::string name = "x";
};
void describe(Fields& fields, ChangesLeaf& leaf) {
  fields.field("port", leaf.port, "A port.");
  fields.field("name", leaf.name, "A name.");
}

struct ChangesRoot {
  std::chrono::milliseconds interval{1000};
  bool on = true;
  std::vector<std::string> files;
  std::map<std::string, std::string> labels;
  std::vector<ChangesLeaf> leaves;
  std::optional<ChangesLeaf> spare;
  Value raw;
};
void describe(Fields& fields, ChangesRoot& root) {
  static constexpr std::pair<std::string_view, bool> kWords[] = {{"yes", true}, {"no", false}};
  fields.field("interval", root.interval, "How often.");
  fields.choice("on", root.on, std::span<const std::pair<std::string_view, bool>>(kWords), "Whether.");
  fields.paths("files", root.files, "Files.");
  fields.field("labels", root.labels, "Labels.");
  fields.field("leaves", root.leaves, "Leaves.");
  fields.field("spare", root.spare, "One more.");
  fields.field("raw", root.raw, "As it stands.");
}

namespace {

std::vector<Setting> settings_of(std::string_view text) {
  ChangesRoot root;
  REQUIRE(load_text(text, "/etc/vigil.yml", root));
  return settings(root);
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("every key is listed as it is set, whatever its type") {
  const auto listed = settings_of(
      "interval: 90s\non: no\nfiles: [a.yml]\nlabels: {env: prod}\nleaves: [{port: 1}]\nraw: {a: [1, 2]}\n");
  const std::vector<Setting> expected = {{"interval", "1m30s"},      {"on", "no"},
                                         {"files[0]", "/etc/a.yml"}, {"labels.env", "prod"},
                                         {"leaves[0].port", "1"},    {"leaves[0].name", "x"},
                                         {"raw", "{a: [1, 2]}"}};
  CHECK(listed == expected);
}

TEST_CASE("a key that changed is taken when it is listed, and needs a restart when it is not") {
  InForce in_force(settings_of("interval: 1s"), {"leaves", "on"});
  const auto next = settings_of("interval: 2s\non: no\nleaves: [{port: 7}]");
  const Changes changes = in_force.compare(next);
  CHECK(changes.taken == Names{"on", "leaves"});
  CHECK(changes.needs_restart == Names{"interval"});

  in_force.adopt(next);
  CHECK(in_force.compare(next).taken.empty());
  CHECK(in_force.compare(next).needs_restart == Names{"interval"});  // it still waits
  CHECK(in_force.compare(settings_of("interval: 1s\non: no\nleaves: [{port: 7}]")).needs_restart.empty());
}

TEST_CASE("what is gone changed, too, and items of a list of texts are said as their list") {
  const InForce in_force(settings_of("files: [a, b, c]\nlabels: {env: prod}\nspare: {port: 1}\nraw: 5"), {});
  CHECK(in_force.compare(settings_of("files: [b, c]\nraw: 6")).needs_restart ==
        Names{"files", "raw", "labels", "spare"});
  CHECK(in_force.compare(settings_of("files: [a, b, c]\nlabels: {env: prod}\nspare: {port: 1}\nraw: 5"))
            .needs_restart.empty());
}

TEST_CASE("keys that nobody wrote are not said: what is new or gone is said as a whole") {
  const InForce in_force(settings_of("leaves: [{port: 1}]\nlabels: {env: prod}"), {"leaves"});
  const auto taken = [&](const char* text) { return in_force.compare(settings_of(text)).taken; };
  CHECK(taken("leaves: [{port: 1}, {port: 2}]\nlabels: {env: prod}") == Names{"leaves"});
  CHECK(taken("leaves: [{port: 3}]\nlabels: {env: prod}") == Names{"leaves[0].port"});
  CHECK(taken("leaves: [{port: 1, name: y}]\nlabels: {env: prod}") == Names{"leaves[0].name"});
  CHECK(taken("labels: {env: prod}") == Names{"leaves"});
  CHECK(in_force.compare(settings_of("leaves: [{port: 1}]\nlabels: {env: prod, en: x}\nspare: {}"))
            .needs_restart == Names{"labels.en", "spare"});
}

TEST_CASE("a listed key stands for what is below it, not for what begins like it") {
  InForce in_force(settings_of(""), {"leave", "lab"});
  CHECK(in_force.compare(settings_of("labels: {a: b}\nleaves: [{}]")).taken.empty());
}

}  // namespace vigil::config
