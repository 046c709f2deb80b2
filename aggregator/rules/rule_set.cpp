#include "aggregator/rules/rule_set.h"

#include "aggregator/promql/analyze.h"
#include "aggregator/promql/parser.h"
#include "aggregator/rules/file_patterns.h"
#include "aggregator/rules/layers.h"
#include "aggregator/rules/presets.h"
#include "aggregator/rules/problems.h"
#include "aggregator/rules/rewrite.h"

#include <deque>
#include <set>
#include <tuple>

namespace vigil::rules {

/// All files of a configuration, in order; a deque, since drafts point into them.
struct Layers {
  std::deque<RuleFile> files;
  std::vector<std::string> warnings;
};

namespace {

/// Series the aggregator makes itself, about hosts that may be away: a tick of the host would not bring them.
bool is_aggregator_series(std::string_view name) {
  return name == "up" || name == "ALERTS" || name == "ALERTS_FOR_STATE" || name.starts_with("vigil_host_") ||
         name.starts_with("vigil_aggregator_");
}

/// A shard keeps this much of its hosts in memory; what looks further back needs the history.
constexpr std::int64_t kHostReachMs = 600'000;
constexpr std::int64_t kLookbackMs = 300'000;

Scope scope_of(const promql::Expr& expr, const promql::MetricNames& names) {
  if (names.has_unnamed_selector ||
      std::any_of(names.names.begin(), names.names.end(), is_aggregator_series)) {
    return Scope::fleet;
  }
  const std::int64_t reach = promql::reach_ms(expr, kLookbackMs);
  return promql::is_host_local(expr) && reach >= 0 && reach <= kHostReachMs ? Scope::host : Scope::fleet;
}

/// Compiles the templates of `texts` into `out`, reporting what is wrong at its place.
void compile_texts(const std::map<std::string, PlacedText>& texts, std::vector<NamedTemplate>& out,
                   std::vector<std::string>& errors) {
  for (const auto& [name, value] : texts) {
    auto compiled = Template::parse(value.text);
    if (compiled) {
      out.push_back({name, value.text, std::move(*compiled)});
      continue;
    }
    const std::string message = "template: " + compiled.error().message;
    if (value.at) {
      value.at.error(message);
    } else {
      errors.push_back(fmt::format("override of {}: {}", name, message));
    }
  }
}

/// A message of apply_override() begins with the key it is about: it goes where that key stands.
std::string place_override(const Override& change, const std::string& message) {
  if (!change.at) return "overrides: " + message;
  const std::size_t colon = message.find(": ");
  if (colon == std::string::npos) return change.at.say("", message);
  return change.at.say(message.substr(0, colon), message.substr(colon + 2));
}

/// Recorded labels are no templates: they are taken as they are.
void copy_texts(const std::map<std::string, PlacedText>& texts, std::vector<NamedTemplate>& out) {
  for (const auto& [name, value] : texts) out.push_back({name, value.text, Template()});
}

using RecordedNames = std::set<std::string, std::less<>>;

/// What rules record is of no single host's shard.
bool looks_at_any(const RecordedNames& recorded, const promql::MetricNames& names) {
  return std::any_of(names.names.begin(), names.names.end(),
                     [&recorded](const auto& name) { return recorded.contains(name); });
}

/// What a rule says beyond Prometheus. It must see what its other expressions look at, too.
void add_extras(const Draft& draft, const RecordedNames& recorded, Rule& rule) {
  rule.extras = compile_extras(draft.rule, draft.expr);
  for (const promql::Expr* expr : {rule.extras.clear.get(), rule.extras.known.get()}) {
    if (expr == nullptr) continue;
    const promql::MetricNames names = promql::metric_names(*expr);
    if (looks_at_any(recorded, names) || scope_of(*expr, names) == Scope::fleet) rule.scope = Scope::fleet;
  }
}

bool compile_expr(const Draft& draft, const RecordedNames& recorded, Rule& rule) {
  if (!draft.rule.expr.at) return false;  // reported when the file was read
  auto parsed = promql::parse(draft.expr);
  if (!parsed) {
    draft.rule.expr.at.error(parsed.error().message);
    return false;
  }
  if ((*parsed)->type != promql::ValueType::vector && (*parsed)->type != promql::ValueType::scalar) {
    draft.rule.expr.at.error(
        fmt::format("gives a {}; a rule needs an instant vector or a scalar", to_string((*parsed)->type)));
    return false;
  }
  const promql::MetricNames names = promql::metric_names(**parsed);
  rule.metric_names.assign(names.names.begin(), names.names.end());
  // A group's limit counts the alerts of all hosts.
  const bool is_fleet = rule.kind == RuleKind::record || rule.query_offset.count() != 0 || rule.limit != 0 ||
                        looks_at_any(recorded, names);
  rule.scope = is_fleet ? Scope::fleet : scope_of(**parsed, names);
  if (rule.kind == RuleKind::alert) add_extras(draft, recorded, rule);
  rule.threshold = threshold(**parsed);
  rule.expr_text = promql::to_string(**parsed);
  auto presence = presence_of(**parsed);
  if (rule.extras.known) presence = promql::parse(promql::to_string(*rule.extras.known));
  if (presence && rule.extras.on_no_data != OnNoData::ok) rule.presence = std::move(*presence);
  if (rule.extras.on_no_data == OnNoData::alert && !rule.presence) {
    draft.rule.at.error("on_no_data: of this expression nobody can tell whether it has no data or is false");
    return false;
  }
  rule.expr = std::move(*parsed);
  return true;
}

RulePtr compile(const Draft& draft, const RecordedNames& recorded, std::vector<std::string>& errors) {
  auto rule = std::make_shared<Rule>();
  rule->kind = draft.rule.alert.at ? RuleKind::alert : RuleKind::record;
  rule->group = draft.group->name.text;
  rule->name = draft.name();
  rule->file = draft.file;
  rule->line = draft.rule.at.line();
  rule->interval = draft.interval;
  rule->hold = draft.rule.hold.value_or(std::chrono::milliseconds(0));
  const auto& keep = draft.rule.clear_for ? draft.rule.clear_for : draft.rule.keep_firing_for;
  rule->keep_firing_for = keep.value_or(std::chrono::milliseconds(0));
  rule->query_offset = draft.group->query_offset.value_or(std::chrono::milliseconds(0));
  rule->limit = static_cast<std::size_t>(std::max<std::int64_t>(draft.group->limit, 0));
  rule->explain = draft.explain;
  if (rule->kind == RuleKind::record) {
    copy_texts(draft.rule.labels, rule->labels);
  } else {
    compile_texts(draft.rule.labels, rule->labels, errors);
  }
  compile_texts(draft.rule.annotations, rule->annotations, errors);
  rule->key = fmt::format("{}/{}/{}", rule->group, rule->name, draft.severity());
  return compile_expr(draft, recorded, *rule) ? rule : nullptr;
}

/// Each is compiled, kept and looked at with every tick of a host.
constexpr std::size_t kMaxRules = 10'000;

std::size_t count_rules(const RuleFile& file) {
  std::size_t count = 0;
  for (const RawGroup& group : file.content.groups) count += group.rules.size();
  return count;
}

/// Names the rule that is one too many; `count` are those up to the end of `file`.
Error too_many_rules(const RuleFile& file, std::size_t count) {
  std::size_t left = kMaxRules - (count - count_rules(file));
  for (const RawGroup& group : file.content.groups) {
    if (left < group.rules.size()) {
      return fail(Errc::limit, "{}: more than {} rules in all files; each is evaluated for every host",
                  group.rules[left].at.where(), kMaxRules);
    }
    left -= group.rules.size();
  }
  return fail(Errc::limit, "{}: more than {} rules in all files", file.name, kMaxRules);
}

/// A file, and where the configuration names it or its pattern.
struct NamedFile {
  std::string path;
  std::string key;  // "files[2]"
};

/// The files of a configuration, each once, as a reload finds them: patterns are looked up anew.
std::vector<NamedFile> find_files(const RulesConfig& config, std::vector<std::string>& errors,
                                  std::vector<std::string>& warnings) {
  std::vector<NamedFile> files;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < config.files.size(); ++i) {
    const std::string key = fmt::format("files[{}]", i);
    Result<std::vector<std::string>> found =
        std::vector{config.files[i]};  // that it is not there is said below
    if (is_pattern(config.files[i])) found = matching_files(config.files[i]);
    if (!found) {
      errors.push_back(config.at.say(key, found.error().message));
      continue;
    }
    if (found->empty())
      warnings.push_back(config.at.say(key, fmt::format("no file fits {}", config.files[i])));
    for (const std::string& path : *found) {
      if (seen.insert(path).second) files.push_back({path, key});
    }
  }
  return files;
}

Result<Layers> read_layers(const RulesConfig& config) {
  Layers layers;
  std::vector<std::string> errors;
  std::size_t count = 0;
  if (config.preset != Preset::none) {
    auto file = parse_rule_file(preset_text(config.preset),
                                fmt::format("{}{}", kPresetPrefix, to_string(config.preset)));
    if (!file) return file.error();
    layers.files.push_back(std::move(*file));
  }
  const auto expected = expectations_text(config.expected_containers, config.steady_series, layers.warnings);
  if (!expected) {
    errors.push_back(expected.error().message);
  } else if (!expected->empty()) {
    auto file = parse_rule_file(*expected, kBuiltIn);
    if (!file) return file.error();
    count += count_rules(*file);
    layers.files.push_back(std::move(*file));
  }
  for (const NamedFile& named : find_files(config, errors, layers.warnings)) {
    const auto text = config::read_file(named.path);
    if (!text) {
      errors.push_back(config.at.say(named.key, text.error().message));
      continue;
    }
    auto file = parse_rule_file(*text, named.path);
    if (file) {
      count += count_rules(*file);
      if (count > kMaxRules) return too_many_rules(*file, count);
      layers.files.push_back(std::move(*file));
    } else {
      errors.push_back(file.error().message);
    }
  }
  if (!errors.empty()) return fail(Errc::invalid_argument, "{}", fmt::join(errors, "\n"));
  return layers;
}

/// Two rules may share group, name and severity (say, for two mount points): the second gets a number.
void make_keys_unique(std::vector<std::shared_ptr<Rule>>& rules) {
  std::map<std::string, int> seen;
  for (auto& rule : rules) {
    const int count = ++seen[rule->key];
    if (count > 1) rule->key += fmt::format("#{}", count);
  }
}

/// A group is told by its file and its name.
std::string group_of(const Rule& rule) {
  return rule.file + '\0' + rule.group;
}

void add_to(std::vector<Schedule>& schedules, const RulePtr& rule, const std::string& recording_group) {
  for (Schedule& schedule : schedules) {
    if (schedule.interval != rule->interval || schedule.recording_group != recording_group) continue;
    schedule.rules.push_back(rule);
    return;
  }
  schedules.push_back({rule->interval, {rule}, recording_group});
}

RecordedNames recorded_names(const std::vector<Draft>& drafts) {
  RecordedNames names;
  for (const Draft& draft : drafts) {
    if (draft.rule.record.at) names.insert(draft.rule.record.text);
  }
  return names;
}

/// "x.yml:12: recording rule job:up:count does the same as the one at line 7", as promtool's lint. Not of
/// those that vigil makes itself: several of one name are how it says what is expected.
std::vector<std::string> find_duplicates(const std::vector<RulePtr>& rules) {
  std::vector<std::string> found;
  std::map<std::tuple<std::string_view, RuleKind, std::string_view, Labels>, const Rule*> seen;
  for (const RulePtr& rule : rules) {
    if (rule->file == kBuiltIn) continue;
    Labels labels;
    for (const NamedTemplate& label : rule->labels) labels.set(label.name, label.text);
    const auto [first, is_new] =
        seen.try_emplace({rule->file, rule->kind, rule->name, std::move(labels)}, rule.get());
    if (is_new) continue;
    const char* what = rule->kind == RuleKind::record ? "recording rule" : "alert";
    found.push_back(fmt::format("{}:{}: {} {} has the name and the labels of the one at line {}", rule->file,
                                rule->line, what, rule->name, first->second->line));
  }
  return found;
}

}  // namespace

std::string_view to_string(Scope scope) {
  return scope == Scope::host ? "host" : "fleet";
}

void RuleStats::note_error(std::string message) {
  const std::lock_guard lock(mutex_);
  has_error_.store(!message.empty(), std::memory_order_relaxed);
  last_error_ = std::move(message);
}

std::string RuleStats::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

namespace {
std::string_view text_of(const std::vector<NamedTemplate>& texts, std::string_view name) {
  for (const NamedTemplate& text : texts) {
    if (text.name == name) return text.text;
  }
  return {};
}
}  // namespace

std::string_view Rule::label(std::string_view name) const {
  return text_of(labels, name);
}
std::string_view Rule::annotation(std::string_view name) const {
  return text_of(annotations, name);
}

Result<RuleSetPtr> RuleSet::load(const RulesConfig& config, const Labels& external_labels,
                                 std::string external_url) {
  const auto layers = read_layers(config);
  if (!layers) return layers.error();
  return build(*layers, config, {external_labels, std::move(external_url)});
}

Result<RuleSetPtr> RuleSet::load_texts(const std::vector<RuleText>& texts, const RulesConfig& config,
                                       const Labels& external_labels, std::string external_url) {
  Layers layers;
  std::size_t count = 0;
  for (const RuleText& text : texts) {
    auto file = parse_rule_file(text.text, text.name);
    if (!file) return file.error();
    count += count_rules(*file);
    if (count > kMaxRules) return too_many_rules(*file, count);
    layers.files.push_back(std::move(*file));
  }
  return build(layers, config, {external_labels, std::move(external_url)});
}

RuleSetPtr RuleSet::only_alerts(const std::set<std::string_view>& names) const {
  std::shared_ptr<RuleSet> part(new RuleSet());
  for (const RulePtr& rule : rules_) {
    if (rule->kind == RuleKind::alert && names.contains(rule->name)) part->rules_.push_back(rule);
  }
  part->external_labels_ = external_labels_;
  part->external_url_ = external_url_;
  part->schedule();
  return part;
}

Result<RuleSetPtr> RuleSet::build(const Layers& layers, const RulesConfig& config,
                                  std::pair<Labels, std::string> external) {
  std::vector<std::string> errors;
  std::vector<Draft> drafts;
  for (const RuleFile& file : layers.files) add_layer(drafts, file, config.interval);
  for (const Override& change : config.overrides) {
    if (const auto done = apply_override(drafts, change); !done) {
      errors.push_back(place_override(change, done.error().message));
    }
  }
  const RecordedNames recorded = recorded_names(drafts);
  std::vector<std::shared_ptr<Rule>> rules;
  for (const Draft& draft : drafts) {
    if (auto rule = compile(draft, recorded, errors)) rules.push_back(std::const_pointer_cast<Rule>(rule));
  }
  if (config.missing == MissingData::ends) {
    for (auto& rule : rules) {
      if (rule->extras.on_no_data == OnNoData::keep) rule->presence.reset();
    }
  }
  for (const RuleFile& file : layers.files) {
    if (const auto fine = file.document.result(); !fine)
      errors.push_back(in_file_order(fine.error().message));
  }
  if (!errors.empty()) return fail(Errc::invalid_argument, "{}", fmt::join(errors, "\n"));
  make_keys_unique(rules);
  std::shared_ptr<RuleSet> set(new RuleSet());
  set->rules_.assign(rules.begin(), rules.end());
  set->warnings_ = layers.warnings;
  set->external_labels_ = std::move(external.first);
  set->external_url_ = std::move(external.second);
  set->schedule();
  return RuleSetPtr(std::move(set));
}

void RuleSet::schedule() {
  std::set<std::string> recording;
  for (const RulePtr& rule : rules_) {
    if (rule->kind == RuleKind::record) recording.insert(group_of(*rule));
  }
  // Groups that record come first: alerts of other groups then see what they recorded at the same time.
  for (const RulePtr& rule : rules_) {
    const std::string group = group_of(*rule);
    if (rule->scope == Scope::fleet && recording.contains(group)) add_to(fleet_schedules_, rule, group);
  }
  for (const RulePtr& rule : rules_) {
    if (rule->scope == Scope::host) {
      add_to(host_schedules_, rule, "");
    } else if (!recording.contains(group_of(*rule))) {
      add_to(fleet_schedules_, rule, "");
    }
  }
  for (std::string& warning : find_duplicates(rules_)) warnings_.push_back(std::move(warning));
}

RulePtr RuleSet::find(std::string_view key) const {
  for (const RulePtr& rule : rules_) {
    if (rule->key == key) return rule;
  }
  return nullptr;
}

RuleSetPtr CurrentRules::get() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

void CurrentRules::replace(RuleSetPtr next) {
  const std::lock_guard lock(mutex_);
  rules_ = std::move(next);
  version_.fetch_add(1, std::memory_order_release);
}

void CurrentRules::hand_over(KnownAlertsPtr moved) {
  const std::lock_guard lock(mutex_);
  moved_ = std::move(moved);
  moves_.fetch_add(1, std::memory_order_release);
}

KnownAlertsPtr CurrentRules::moved() const {
  const std::lock_guard lock(mutex_);
  return moved_;
}

}  // namespace vigil::rules
