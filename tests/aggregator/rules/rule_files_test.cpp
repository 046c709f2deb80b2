// Which rule files are read, and how what is wrong with them is told.
#include "aggregator/rules/file_patterns.h"
#include "aggregator/rules/problems.h"
#include "aggregator/rules/rule_set.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <fmt/ranges.h>

#include <filesystem>

using namespace vigil;
using namespace vigil::rules;

namespace {

/// A folder with files that each hold one alert of the file's name.
class RuleFolder {
 public:
  explicit RuleFolder(const std::vector<std::string>& files) {
    for (const std::string& file : files) write(file);
  }
  void write(const std::string& file) {
    const std::filesystem::path path = dir_.file(file);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << fmt::format(
        "groups: [{{name: g, rules: [{{alert: A, expr: up, labels: {{f: '{}'}}}}]}}]\n", file);
  }
  std::string path(std::string_view below) const { return dir_.file(below); }
  std::string without_folder(std::string text) const {
    for (std::size_t at = 0; (at = text.find(path(""), at)) != std::string::npos;)
      text.erase(at, path("").size());
    return text;
  }
  std::string fitting(std::string_view pattern) const {
    const auto found = matching_files(path(pattern));
    return found ? without_folder(fmt::format("{}", fmt::join(*found, " "))) : "error";
  }

 private:
  test::TempDir dir_;
};

Result<RuleSetPtr> load(const std::string& config_yaml) {
  RulesConfig config;
  if (auto read = config::load_text(config_yaml, "vigil.yml", config); !read) return read.error();
  config.preset = Preset::none;
  return RuleSet::load(config, {}, "");
}

}  // namespace

TEST_CASE("Patterns of rule files fit what Go's filepath.Glob has them fit, sorted") {
  const RuleFolder folder(
      {"b.yml", "a.yml", ".hidden.yml", "a.yaml", "web/x.yml", "db/x.yml", "db/y.yml", "c[1].txt"});
  CHECK(folder.fitting("*.yml") == ".hidden.yml a.yml b.yml");
  CHECK(folder.fitting("?.yml") == "a.yml b.yml");
  CHECK(folder.fitting("[a-b].y*ml") == "a.yaml a.yml b.yml");
  CHECK(folder.fitting("[^a].yml") == "b.yml");
  CHECK(folder.fitting("*/x.yml") == "db/x.yml web/x.yml");
  CHECK(folder.fitting("d*/*.yml") == "db/x.yml db/y.yml");
  CHECK(folder.fitting("*/*/*.yml").empty());
  CHECK(folder.fitting("none/*.yml").empty());
  CHECK(folder.fitting("a.yml/*").empty());
  CHECK(folder.fitting("a.yml") == "a.yml");
  CHECK(folder.fitting("z.yml").empty());
  CHECK(folder.fitting("c\\[1].txt") == "c[1].txt");
  CHECK(folder.fitting("c[1].txt") == "c[1].txt");  // it fits c1.txt, which is not there
  CHECK(folder.fitting("[a.yml") == "error");
  CHECK(folder.fitting("[].yml") == "error");
  CHECK(folder.fitting("a\\") == "error");
}

TEST_CASE("rules.files takes patterns, each file once, and a reload finds new files") {
  RuleFolder folder({"one/b.yml", "one/a.yml", "two/c.yml"});
  const std::string config =
      fmt::format("files: ['{0}', '{1}', '{0}']", folder.path("*/[a-c].yml"), folder.path("one/a.yml"));
  const auto names = [&] {
    const auto set = load(config);
    if (!set) return set.error().message;
    std::string all;
    for (const auto& rule : (*set)->rules()) all += fmt::format("{} ", rule->label("f"));
    return all;
  };
  CHECK(names() == "one/a.yml one/b.yml two/c.yml ");
  folder.write("two/a.yml");
  CHECK(names() == "one/a.yml one/b.yml two/a.yml two/c.yml ");
}

TEST_CASE("A pattern that no file fits is warned of, a file that is not there is an error") {
  const RuleFolder folder({"a.yml"});
  const auto none = load(fmt::format("files: [{}, {}]", folder.path("a.yml"), folder.path("*.yaml")));
  REQUIRE(none);
  CHECK((*none)->rules().size() == 1);
  REQUIRE((*none)->warnings().size() == 1);
  CHECK_THAT(folder.without_folder((*none)->warnings()[0]),
             Catch::Matches("vigil.yml:1:[0-9]+: files.1.: no file fits ..yaml"));
  const auto missing = load(fmt::format("files: [{}]", folder.path("b.yml")));
  REQUIRE_FALSE(missing);
  CHECK_THAT(missing.error().message,
             Catch::StartsWith("vigil.yml:1:9: files[0]: ") && Catch::Contains("No such file"));
  const auto open = load(fmt::format("files: ['{}']", folder.path("[a.yml")));
  REQUIRE_FALSE(open);
  CHECK_THAT(open.error().message, Catch::Contains("files[0]: ") && Catch::Contains("is not closed"));
}

TEST_CASE("What is wrong in a rule file is told in the order of the file, with the name that is none") {
  const auto set = RuleSet::load_texts({{"x.yml",
                                         "groups:\n"
                                         "  - name: g\n"
                                         "    rules:\n"
                                         "      - {alert: A, expr: 'up >'}\n"
                                         "      - {record: '', expr: up, four: 1}\n"
                                         "  - name: g\n"
                                         "    rulez: []\n"}},
                                       {}, {}, "");
  REQUIRE_FALSE(set);
  const auto problems = split_problems(set.error().message);
  std::string places;
  for (const Problem& problem : problems)
    places += fmt::format("{}:{}:{} ", problem.file, problem.line, problem.column);
  CHECK(places == "x.yml:4:26 x.yml:5:18 x.yml:5:32 x.yml:6:11 x.yml:7:5 ");
  CHECK(problems[1].message == "groups[0].rules[1].record: '' is not a valid metric name");
}

TEST_CASE("An error's text is taken apart by place, and put together again") {
  const std::string text = "/a:1/x.yml:12:3: groups[0]: 1:6: parse error\ngoes on\n/a:1/x.yml:2:40: two\n";
  const auto problems = split_problems(text);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].file == "/a:1/x.yml");
  CHECK(problems[0].line == 12);
  CHECK(problems[0].column == 3);
  CHECK(problems[0].message == "groups[0]: 1:6: parse error\ngoes on");
  CHECK(in_file_order(text) == "/a:1/x.yml:2:40: two\n/a:1/x.yml:12:3: groups[0]: 1:6: parse error\ngoes on");
  CHECK(split_problems("open /x.yml: No such file").at(0).line == 0);
  CHECK(in_file_order("open /x.yml: No such file") == "open /x.yml: No such file");
  CHECK(split_problems("").empty());
}
