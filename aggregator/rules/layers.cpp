#include "aggregator/rules/layers.h"

#include "aggregator/promql/parser.h"
#include "aggregator/promql/value.h"
#include "aggregator/rules/rewrite.h"
#include "common/text/human.h"

namespace vigil::rules {
namespace {

std::string place(const Draft& draft, const config::Value& at) {
  return at ? fmt::format("{}:{}", draft.file, at.line()) : draft.file;
}

/// The first account of every value: the file.
void explain_file(Draft& draft) {
  const auto note = [&draft](std::string what, std::string value, const config::Value& at) {
    draft.explain.push_back({std::move(what), std::move(value), place(draft, at)});
  };
  if (const auto parsed = promql::parse(draft.expr)) {
    if (const auto number = threshold(**parsed))
      note("threshold", promql::format_value(*number), draft.rule.expr.at);
  }
  if (draft.rule.hold) note("for", format_duration(*draft.rule.hold), draft.rule.at);
  if (draft.rule.keep_firing_for)
    note("keep_firing_for", format_duration(*draft.rule.keep_firing_for), draft.rule.at);
  for (const auto& [name, value] : draft.rule.labels) note("label " + name, value.text, value.at);
}

/// Replaces the account of one value, keeping what it was before.
void explain_override(Draft& draft, std::string_view what, std::string value, const Override& change) {
  const std::string from = change.at ? change.at.where() : "override";
  for (Origin& origin : draft.explain) {
    if (origin.what != what) continue;
    origin = {std::string(what), std::move(value),
              fmt::format("{} (override; {} says {})", from, origin.from, origin.value)};
    return;
  }
  draft.explain.push_back({std::string(what), std::move(value), fmt::format("{} (override)", from)});
}

/// Files of the user stand beside each other, as in Prometheus: only what was shipped is replaced.
bool same_rule(const Draft& a, const Draft& b) {
  return a.rule.alert.at && b.file.starts_with(kPresetPrefix) && a.group->name.text == b.group->name.text &&
         a.name() == b.name() && a.severity() == b.severity();
}

bool is_meant(const Override& change, const Draft& draft) {
  return draft.rule.alert.at && draft.rule.alert.text == change.alert &&
         (change.severity.empty() || draft.severity() == change.severity) &&
         (change.group.empty() || draft.group->name.text == change.group);
}

Result<void> apply_expr(Draft& draft, const Override& change) {
  if (change.expr) {
    const auto parsed = promql::parse(*change.expr);
    if (!parsed) return fail(parsed.error().code, "expr: {}", parsed.error().message);
    draft.expr = *change.expr;
    explain_override(draft, "expr", draft.expr, change);
  }
  if (!change.threshold) return {};
  const auto parsed = promql::parse(draft.expr);
  if (!parsed) return {};  // reported where the rule is compiled
  if (!set_threshold(**parsed, *change.threshold)) {
    return fail(Errc::invalid_argument,
                "threshold: {} compares with no number ({}); override its expr instead", change.alert,
                draft.expr);
  }
  draft.expr = promql::to_string(**parsed);
  explain_override(draft, "threshold", promql::format_value(*change.threshold), change);
  return {};
}

void apply_texts(std::map<std::string, PlacedText>& texts,
                 const std::map<std::string, std::string>& changes) {
  for (const auto& [name, value] : changes) {
    if (value.empty()) {
      texts.erase(name);
    } else {
      texts[name].text = value;
    }
  }
}

Result<void> apply(Draft& draft, const Override& change) {
  if (auto done = apply_expr(draft, change); !done) return done;
  if (change.hold) {
    draft.rule.hold = change.hold;
    explain_override(draft, "for", format_duration(*change.hold), change);
  }
  if (change.keep_firing_for) {
    draft.rule.keep_firing_for = change.keep_firing_for;
    explain_override(draft, "keep_firing_for", format_duration(*change.keep_firing_for), change);
  }
  for (const auto& [name, value] : change.labels) {
    if (!is_name(name)) return fail(Errc::invalid_argument, "labels: '{}' is not a valid label name", name);
    explain_override(draft, "label " + name, value, change);
  }
  apply_texts(draft.rule.labels, change.labels);
  apply_texts(draft.rule.annotations, change.annotations);
  return {};
}

Error no_such_rule(const std::vector<Draft>& drafts, const Override& change) {
  std::vector<std::string_view> names;
  std::vector<std::string_view> severities;
  for (const Draft& draft : drafts) {
    names.push_back(draft.name());
    if (draft.name() == change.alert) severities.push_back(draft.severity());
  }
  if (!severities.empty()) {
    return fail(Errc::invalid_argument,
                "alert: {} has no rule of that group and severity; its severities are {}", change.alert,
                fmt::join(severities, ", "));
  }
  const std::string_view nearest = suggest(change.alert, names);
  return fail(Errc::invalid_argument, "alert: there is no rule {}{}", change.alert,
              nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
}

/// 0 is as good as none, as in Prometheus.
std::chrono::milliseconds interval_of(const RawGroup& group, std::chrono::milliseconds fallback) {
  return group.interval && group.interval->count() > 0 ? *group.interval : fallback;
}

/// `disabled: false` was meant, though it changes nothing.
bool changes_nothing(const Override& change) {
  return !change.threshold && !change.hold && !change.keep_firing_for && !change.expr &&
         change.labels.empty() && change.annotations.empty() && !change.disabled &&
         !change.at.find("disabled");
}

}  // namespace

std::string_view Draft::severity() const {
  const auto found = rule.labels.find("severity");
  return found == rule.labels.end() ? std::string_view() : std::string_view(found->second.text);
}

void add_layer(std::vector<Draft>& drafts, const RuleFile& file, std::chrono::milliseconds default_interval) {
  const std::size_t earlier = drafts.size();
  for (const RawGroup& group : file.content.groups) {
    for (const RawRule& rule : group.rules) {
      Draft draft{&group, rule, file.name, rule.expr.text, interval_of(group, default_interval), {}};
      for (const auto& [name, value] : group.labels) draft.rule.labels.emplace(name, value);
      explain_file(draft);
      const auto end = drafts.begin() + static_cast<std::ptrdiff_t>(earlier);
      const auto found =
          std::find_if(drafts.begin(), end, [&draft](const Draft& other) { return same_rule(draft, other); });
      if (found != end) {
        *found = std::move(draft);
      } else {
        drafts.push_back(std::move(draft));
      }
    }
  }
}

Result<void> apply_override(std::vector<Draft>& drafts, const Override& change) {
  bool found = false;
  // The name is looked up as it was before this override, which may change the severity it selects by.
  std::vector<Draft*> meant;
  for (Draft& draft : drafts) {
    if (is_meant(change, draft)) meant.push_back(&draft);
  }
  for (Draft* draft : meant) {
    found = true;
    if (auto done = apply(*draft, change); !done) return done;
  }
  if (!found) return no_such_rule(drafts, change);
  if (changes_nothing(change)) {
    return fail(
        Errc::invalid_argument,
        "alert: this override of {} changes nothing; add threshold, for, keep_firing_for, expr, labels, "
        "annotations, or disabled: true",
        change.alert);
  }
  if (change.disabled)
    std::erase_if(drafts, [&change](const Draft& draft) { return is_meant(change, draft); });
  return {};
}

}  // namespace vigil::rules
