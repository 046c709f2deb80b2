#include "aggregator/trial/unit_test.h"

#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/alert_series.h"
#include "aggregator/promql/literals.h"
#include "aggregator/promql/parser.h"
#include "aggregator/rules/file_patterns.h"
#include "aggregator/rules/recording.h"
#include "aggregator/rules/rule_set.h"
#include "aggregator/rules/watch.h"
#include "aggregator/trial/series_notation.h"
#include "aggregator/trial/test_storage.h"
#include "common/text/human.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

namespace vigil::trial {
namespace {

using alerts::Alert;
using alerts::AlertBook;

std::string braces(const Labels& labels) {
  std::string out;
  for (const LabelView& label : labels)
    out += fmt::format("{}{}={}", out.empty() ? "" : ", ", label.name, promql::quote(label.value));
  return "{" + out + "}";
}

/// The rules of a group, in their order.
using Group = std::vector<rules::RulePtr>;

std::vector<Group> groups_of(const rules::RuleSet& set, const TestFile& file) {
  std::vector<Group> groups;
  for (const rules::RulePtr& rule : set.rules()) {
    const bool same =
        !groups.empty() && groups.back()[0]->group == rule->group && groups.back()[0]->file == rule->file;
    if (!same) groups.emplace_back();
    groups.back().push_back(rule);
  }
  std::map<std::string_view, std::size_t> order;
  for (std::size_t i = 0; i < file.group_eval_order.size(); ++i) order[file.group_eval_order[i].text] = i;
  std::stable_sort(groups.begin(), groups.end(), [&order](const Group& a, const Group& b) {
    const auto place = [&order](const Group& group) {
      const auto found = order.find(group[0]->group);
      return found == order.end() ? 0 : found->second;
    };
    return place(a) < place(b);
  });
  return groups;
}

/// "- what was expected", "+ what there is instead": those that differ, sorted.
std::string differences(std::vector<std::string> expected, std::vector<std::string> got) {
  std::sort(expected.begin(), expected.end());
  std::sort(got.begin(), got.end());
  std::vector<std::string> missing;
  std::vector<std::string> surplus;
  std::set_difference(expected.begin(), expected.end(), got.begin(), got.end(), std::back_inserter(missing));
  std::set_difference(got.begin(), got.end(), expected.begin(), expected.end(), std::back_inserter(surplus));
  std::string out;
  for (const std::string& line : missing) out += "\n    - " + line;
  for (const std::string& line : surplus) out += "\n    + " + line;
  return out;
}

bool is_close(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == b) return true;
  constexpr double kDigits = 1e-14;
  return std::abs(a - b) <= kDigits * std::max(std::abs(a), std::abs(b));
}

/// One entry of `tests`, from its beginning to the last time it looks at.
class Run {
 public:
  Run(const TestFile& file, const TestGroup& group, const rules::RuleSet& set)
      : file_(file),
        group_(group),
        groups_(groups_of(set, file)),
        book_({set.external_labels(), set.external_url(),
               [this](std::string_view expr, std::int64_t t_ms) { return rules::ask(expr, storage_, t_ms); },
               file.evaluation_interval}) {
    (void)book_.adopt(set, group.start.t_ms);  // there are no alerts yet: how far back it looks
  }

  std::vector<std::string> run() {
    load_input();
    const std::int64_t step = file_.evaluation_interval.count();
    const std::int64_t start = group_.start.t_ms;
    for (std::int64_t t_ms = start; t_ms <= start + last_ms(); t_ms += step) {
      storage_.set_now(t_ms);
      evaluate(t_ms);
      if (!broken_.empty()) return broken_;
      for (const AlertTest& test : group_.alerts) {
        const std::int64_t at = start + test.eval_time.count();
        if (t_ms <= at && at < t_ms + step) check(test);
      }
    }
    storage_.set_now(start + last_ms());
    for (const ExprTest& test : group_.exprs) check(test);
    return std::move(all_);
  }

  /// Whether a rule could not be evaluated, so that nothing was checked from there on.
  bool is_broken() const { return !broken_.empty(); }

 private:
  void load_input() {
    const std::int64_t interval =
        group_.interval.count() > 0 ? group_.interval.count() : file_.evaluation_interval.count();
    for (const InputSeries& input : group_.input) {
      const auto labels = parse_metric(input.series.text);
      const auto values = parse_values(input.values.text);
      std::int64_t t_ms = group_.start.t_ms;
      for (const auto& value : *values) {
        if (value) storage_.add(*labels, {t_ms, *value});
        t_ms += interval;
      }
    }
  }

  std::int64_t last_ms() const {
    milliseconds last{};
    for (const AlertTest& test : group_.alerts) last = std::max(last, test.eval_time);
    for (const ExprTest& test : group_.exprs) last = std::max(last, test.eval_time);
    return last.count();
  }

  void evaluate(std::int64_t t_ms) {
    for (const Group& group : groups_) {
      for (const rules::RulePtr& rule : group) {
        evaluate(rule, t_ms);
        if (const std::string error = rule->stats->last_error(); !error.empty()) {
          broken_.push_back(fmt::format("{}: {}:{}: {} at {}: {}", where(group_.at), rule->file, rule->line,
                                        rule->name, format_duration(milliseconds(t_ms - group_.start.t_ms)),
                                        error));
        }
      }
    }
  }

  void evaluate(const rules::RulePtr& rule, std::int64_t t_ms) {
    if (rule->kind == rules::RuleKind::record) {
      storage_.add(records_[rule.get()].evaluate(*rule, storage_, t_ms));
      return;
    }
    const auto evaluation = rules::evaluate({rule, t_ms}, storage_, memories_[rule.get()]);
    if (evaluation) book_.apply(*evaluation);
    book_.expire(t_ms);
    // As of the group's query_offset, as everything it gives.
    storage_.add(series_.write(book_, t_ms - rule->query_offset.count()));
  }

  static std::string where(const config::Value& at) { return at.where(); }

  std::string title(std::string_view what, milliseconds eval_time) const {
    const std::string name = group_.name.empty() ? "" : group_.name + ": ";
    return fmt::format("{}{} at {}:", name, what, format_duration(eval_time));
  }

  void note(const config::Value& at, std::string text) { all_.push_back(where(at) + ": " + std::move(text)); }

  void check(const AlertTest& test) {
    const auto line = [](const Labels& labels, const Labels& annotations) {
      return fmt::format("labels {} annotations {}", braces(labels), braces(annotations));
    };
    std::vector<std::string> got;
    book_.for_each([&](const Alert& alert) {
      if (alert.rule->name != test.alertname || alert.state != alerts::State::firing) return;
      got.push_back(line(alert.labels, book_.annotations_at(alert, alert.last_true_ms)));
    });
    std::vector<std::string> expected;
    for (const ExpectedAlert& alert : test.expected) {
      Labels labels;
      for (const auto& [name, value] : alert.labels) labels.set(name, value);
      labels.set("alertname", test.alertname);
      Labels annotations;
      for (const auto& [name, value] : alert.annotations) annotations.set(name, value);
      expected.push_back(line(labels, annotations));
    }
    const std::string differ = differences(std::move(expected), std::move(got));
    if (!differ.empty())
      note(test.at, title(fmt::format("alert {}", test.alertname), test.eval_time) + differ);
  }

  void check(const ExprTest& test) {
    const std::int64_t t_ms = group_.start.t_ms + test.eval_time.count();
    const auto samples = rules::ask(test.expr.text, storage_, t_ms);
    const std::string what = title(test.expr.text, test.eval_time);
    if (!samples) return note(test.at, what + " " + samples.error().message);
    std::vector<std::pair<Labels, double>> got = *samples;
    std::vector<std::string> expected_lines;
    const auto line = [](const Labels& labels, double value) {
      return fmt::format("{} {}", labels.to_string(), promql::format_value(value));
    };
    for (const ExpectedSample& sample : test.expected) {
      Labels labels;
      if (sample.labels.at) labels = *parse_metric(sample.labels.text);
      // One that is as good as this one is written like it: then they do not differ.
      const auto same = std::find_if(got.begin(), got.end(), [&](const auto& other) {
        return other.first == labels && file_.fuzzy_compare && is_close(other.second, sample.value.value);
      });
      expected_lines.push_back(line(labels, same == got.end() ? sample.value.value : same->second));
    }
    std::vector<std::string> lines;
    lines.reserve(got.size());
    for (const auto& [labels, value] : got) lines.push_back(line(labels, value));
    const std::string differ = differences(std::move(expected_lines), std::move(lines));
    if (!differ.empty()) note(test.at, what + differ);
  }

  const TestFile& file_;
  const TestGroup& group_;
  TestStorage storage_;
  const std::vector<Group> groups_;
  std::map<const rules::Rule*, rules::Memory> memories_;
  std::map<const rules::Rule*, rules::Record> records_;
  AlertBook book_;
  alerts::AlertSeries series_;
  std::vector<std::string> broken_;
  std::vector<std::string> all_;
};

/// Files that fit the patterns of `rule_files`, from the test file's folder, each once.
Result<std::vector<rules::RuleText>> read_rule_files(const TestFile& file, TestReport& report) {
  std::vector<rules::RuleText> files;
  std::set<std::string> seen;
  for (const rules::PlacedText& pattern : file.rule_files) {
    const auto found = rules::matching_files(pattern.at.beside(pattern.text));
    if (!found) return fail(found.error().code, "{}: {}", pattern.at.where(), found.error().message);
    if (found->empty())
      report.warnings.push_back(fmt::format("{}: no file fits {}", pattern.at.where(), pattern.text));
    for (const std::string& path : *found) {
      if (!seen.insert(path).second) continue;
      auto text = config::read_file(path);
      if (!text) return fail(text.error().code, "{}: {}", pattern.at.where(), text.error().message);
      files.push_back({path, std::move(*text)});
    }
  }
  return files;
}

Result<rules::RuleSetPtr> load_rules(const TestFile& file, const TestGroup& group,
                                     const std::vector<rules::RuleText>& files) {
  rules::RulesConfig config;
  config.preset = rules::Preset::none;
  config.interval = file.evaluation_interval;
  config.missing = rules::MissingData::ends;
  Labels external;
  for (const auto& [name, value] : group.external_labels) external.set(name, value);
  return rules::RuleSet::load_texts(files, config, external, group.external_url);
}

}  // namespace

Result<TestReport> run_test_file(const std::string& path) {
  const auto text = config::read_file(path);
  if (!text) return text.error();
  const auto file = load_test_file(*text, path);
  if (!file) return file.error();
  TestReport report;
  const auto files = read_rule_files(*file, report);
  if (!files) return files.error();
  for (const TestGroup& group : file->tests) {
    const auto set = load_rules(*file, group, *files);
    if (!set) return set.error();
    if (report.groups++ == 0) {
      for (const std::string& warning : (*set)->warnings()) report.warnings.push_back(warning);
    }
    const std::size_t checks = group.alerts.size() + group.exprs.size();
    report.checks += checks;
    Run run(*file, group, **set);
    std::vector<std::string> failures = run.run();
    if (!run.is_broken()) report.passed += checks - failures.size();
    for (std::string& failure : failures) report.failures.push_back(std::move(failure));
  }
  if (file->tests.empty()) {  // the rules can be wrong all the same
    const auto set = load_rules(*file, {}, *files);
    if (!set) return set.error();
  }
  return report;
}

}  // namespace vigil::trial
