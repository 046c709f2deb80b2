#include "aggregator/serve/silence_doubts.h"

#include "common/text/human.h"
#include "common/text/quotes.h"

#include <algorithm>
#include <map>
#include <utility>

namespace vigil::aggregator {
namespace {

using matchers::Matcher;

/// Asks of each matcher once: series are many.
class Series {
 public:
  explicit Series(const SilenceGround& ground) : ground_(ground) {}

  bool have(const Matcher& matcher) {
    const auto [known, is_new] = known_.try_emplace(matchers::to_string(matcher), false);
    if (is_new) known->second = ground_.is_on_series(matcher);
    return known->second;
  }

 private:
  const SilenceGround& ground_;
  std::map<std::string, bool> known_;
};

bool is_host(const Matcher& matcher, const SilenceGround& ground) {
  return std::ranges::any_of(ground.hosts,
                             [&matcher](const std::string& host) { return matcher.matches(host); });
}

/// Whether an alert of the rule may have a label that fits: one of the rule's own, of its name, or of series.
bool may_fit(const Matcher& matcher, const rules::Rule& rule, const SilenceGround& ground, Series& series) {
  if (matcher.name() == "alertname") return matcher.matches(rule.name);
  for (const rules::NamedTemplate& label : rule.labels) {
    if (label.name != matcher.name()) continue;
    return label.text.find("{{") != std::string::npos || matcher.matches(label.text);
  }
  if (matcher.matches(std::string_view())) return true;
  if (matcher.name() == "instance" && is_host(matcher, ground)) return true;
  // label_replace() and its kin make labels that no series has.
  const bool is_made = rule.expr_text.find(in_quotes(matcher.name())) != std::string::npos;
  return is_made || series.have(matcher);
}

bool is_alerting(const alerts::RuleInfo& info) {
  return info.rule->kind == rules::RuleKind::alert;
}

std::string meant_text(std::string_view word, const std::vector<std::string>& known) {
  const std::string_view meant = suggest(word, known);
  return meant.empty() ? std::string() : fmt::format("; did you mean {}?", meant);
}

std::vector<std::string> rule_names(const SilenceGround& ground) {
  std::vector<std::string> out;
  for (const alerts::RuleInfo& info : ground.rules) {
    if (is_alerting(info)) out.push_back(info.rule->name);
  }
  return out;
}

std::vector<std::string> known_labels(const SilenceGround& ground) {
  std::vector<std::string> out = ground.label_names();
  for (const alerts::RuleInfo& info : ground.rules) {
    for (const rules::NamedTemplate& label : info.rule->labels) out.push_back(label.name);
  }
  return out;
}

/// Why no rule's alerts have a label that fits.
std::string reason_of(const Matcher& matcher, const SilenceGround& ground) {
  const bool is_equal = matcher.op() == promql::MatchOp::equal;
  if (matcher.name() == "alertname" && is_equal)
    return fmt::format("there is no alert {}{}", matcher.value(),
                       meant_text(matcher.value(), rule_names(ground)));
  if (matcher.name() == "instance" && is_equal)
    return fmt::format("there is no host {}{}", matcher.value(), meant_text(matcher.value(), ground.hosts));
  const std::vector<std::string> labels = known_labels(ground);
  const bool is_known = matcher.name() == "alertname" || matcher.name() == "instance" || labels.empty() ||
                        std::ranges::find(labels, matcher.name()) != labels.end();
  if (!is_known)
    return fmt::format("nothing has a label {}{}", matcher.name(), meant_text(matcher.name(), labels));
  return "nothing has " + matchers::to_string(matcher);
}

}  // namespace

std::vector<std::string> doubts_of(const matchers::Matchers& matchers, const SilenceGround& ground) {
  const bool holds = std::ranges::any_of(ground.alerts, [&matchers](const alerts::AlertInfo& alert) {
    return matchers::matches(matchers, alert.labels);
  });
  if (holds || std::ranges::none_of(ground.rules, is_alerting)) return {};
  Series series(ground);
  std::vector<bool> fits(matchers.size(), false);  // some rule, each by itself
  for (const alerts::RuleInfo& info : ground.rules) {
    if (!is_alerting(info)) continue;
    bool all = true;
    for (std::size_t i = 0; i < matchers.size(); ++i) {
      const bool one = may_fit(matchers[i], *info.rule, ground, series);
      fits[i] = fits[i] || one;
      all = all && one;
    }
    if (all) return {};
  }
  std::vector<std::string> out;
  for (std::size_t i = 0; i < matchers.size(); ++i) {
    if (!fits[i]) out.push_back("it holds for nothing now: " + reason_of(matchers[i], ground));
  }
  if (out.empty())
    out.push_back(
        fmt::format("it holds for nothing now: no alert has all of {}", matchers::to_string(matchers)));
  return out;
}

}  // namespace vigil::aggregator
