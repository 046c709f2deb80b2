// Routes against Debian's Alertmanager: random trees and label sets, the same receivers in the same order;
// random times, weekdays and dates, accepted and refused alike. VIGIL_AMTOOL_TREES asks for another number of
// trees.
#include "tests/aggregator/routing/configurations.h"
#include "tests/support/from_environment.h"
#include "tests/support/temp_file.h"

#include <cstdio>
#include <random>

namespace vigil::routing {
namespace {

struct Answer {
  int status = 0;
  std::string output;
};

Answer run(const std::string& command) {
  Answer answer;
  std::FILE* pipe = ::popen((command + " 2>/dev/null").c_str(), "r");
  REQUIRE(pipe != nullptr);
  char chunk[4096];
  while (const std::size_t got = std::fread(chunk, 1, sizeof chunk, pipe)) answer.output.append(chunk, got);
  answer.status = ::pclose(pipe);
  return answer;
}

bool is_there() {
  if (run("command -v amtool").status == 0) return true;
  WARN("amtool is not installed (Debian: prometheus-alertmanager): not compared");
  return false;
}

int trees() {
  return static_cast<int>(testing::number_from_environment("VIGIL_AMTOOL_TREES", 12));
}

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::string configuration() {
    routes_ = 0;
    std::string text = "route:\n  receiver: r0\n";
    children(text, "  ", 3);
    text += "receivers:\n";
    for (int i = 0; i <= kReceivers; ++i) text += fmt::format("  - name: r{}\n", i);
    return text;
  }

  Labels labels() {
    Labels out;
    for (const char* name : {"a", "b", "c"}) {
      if (!one_in(3)) out.set(name, pick({"1", "2", "12", "x y", "x,y"}));
    }
    return out;
  }

  std::string interval() {
    switch (below(5)) {
      case 0:
        return fmt::format("times: [{{start_time: '{}', end_time: '{}'}}]", time(), time());
      case 1:
        return fmt::format("weekdays: ['{}:{}']", pick({"sunday", "Monday", "friday", "fri"}),
                           pick({"sunday", "TUESDAY", "saturday"}));
      case 2:
        return fmt::format("days_of_month: ['{}:{}']", below(70) - 35, below(70) - 35);
      case 3:
        return fmt::format("months: ['{}:{}', 'May']", pick({"1", "march", "0", "11"}),
                           pick({"3", "june", "12", "13", "dec"}));
      default:
        return fmt::format("years: ['{}:{}']", 2020 + below(5), 2020 + below(5));
    }
  }

 private:
  static constexpr int kReceivers = 6;
  static constexpr int kMostRoutes = 25;

  int below(int most) { return std::uniform_int_distribution<int>(0, most - 1)(random_); }
  bool one_in(int n) { return below(n) == 0; }
  std::string pick(std::vector<const char*> words) {
    return words[static_cast<std::size_t>(below(static_cast<int>(words.size())))];
  }
  std::string time() { return fmt::format("{:02}:{:02}", below(26), below(4) * 20); }

  void children(std::string& text, const std::string& indent, int depth) {
    const int count = depth == 0 ? 0 : below(4);
    if (count == 0) return;
    text += indent + "routes:\n";
    for (int i = 0; i < count; ++i) child(text, indent + "  ", depth);
  }

  void child(std::string& text, const std::string& indent, int depth) {
    ++routes_;
    text += fmt::format("{}- continue: {}\n", indent, one_in(2));
    const std::string in = indent + "  ";
    if (!one_in(3)) text += fmt::format("{}receiver: r{}\n", in, below(kReceivers + 1));
    if (one_in(4)) text += fmt::format("{}match: {{{}: '{}'}}\n", in, pick({"a", "b"}), pick({"1", "2", ""}));
    if (one_in(4))
      text += fmt::format("{}match_re: {{{}: '{}'}}\n", in, pick({"a", "c"}), pick({"1|2", ".*", ".+", "1"}));
    if (!one_in(4)) text += fmt::format("{}matchers: [{}]\n", in, matchers());
    if (routes_ < kMostRoutes) children(text, in, depth - 1);
  }

  std::string matchers() {
    return pick({"'a=1'", "'a!=1'", "'b=~\"1|12\"'", "'b!~\"1.*\"'", "'{a=\"1\", c!=\"2\"}'", "'a=\"\"'",
                 "'c=\"x,y\"'", "'c = x y'", "'c='", "'a=~\"[0-9]+\",'", "'b=~.+'", "'a=1', 'b!=2'",
                 "'a!~\"x.y\"'", "'{}'", "'c=~\"\\w+ y\"'"});
  }

  std::mt19937_64 random_;
  int routes_ = 0;
};

}  // namespace

TEST_CASE("random trees route random labels as amtool says") {
  if (!is_there()) return;
  Generator generator(1969);
  int compared = 0;
  for (int i = 0; i < trees(); ++i) {
    const std::string text = generator.configuration();
    const Configuration ours = configuration(text);
    const test::TempFile file("am.yml", text);
    for (int k = 0; k < 8; ++k) {
      const Labels labels = generator.labels();
      std::string command = "amtool config routes test --config.file=" + file.path();
      for (const LabelView& label : labels) command += fmt::format(" '{}=\"{}\"'", label.name, label.value);
      std::string expected = run(command).output;
      while (expected.ends_with('\n')) expected.pop_back();
      std::string found;
      for (const Route* route : ours.root.match(labels))
        found += (found.empty() ? "" : ",") + route->receiver;
      INFO(text << labels.to_string());
      REQUIRE(found == expected);
      ++compared;
    }
  }
  CHECK(compared == trees() * 8);
}

TEST_CASE("time intervals are accepted and refused as amtool does") {
  if (!is_there()) return;
  Generator generator(7);
  int refused = 0;
  for (int i = 0; i < trees() * 4; ++i) {
    const std::string text = fmt::format(
        "route: {{receiver: a}}\nreceivers: [{{name: a}}]\ntime_intervals: [{{name: n, time_intervals: "
        "[{{{}}}]}}]\n",
        generator.interval());
    const test::TempFile file("am.yml", text);
    calendar::Zones zones;
    const auto ours = read_configuration(text, "am.yml", zones);
    const bool theirs = run("amtool check-config " + file.path()).status == 0;
    INFO(text);
    REQUIRE(ours.has_value() == theirs);
    refused += theirs ? 0 : 1;
  }
  CHECK(refused > 0);
}

}  // namespace vigil::routing
