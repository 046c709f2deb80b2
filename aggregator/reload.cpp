#include "aggregator/reload.h"

#include "aggregator/status.h"
#include "common/config/redact.h"
#include "common/config/written_secrets.h"
#include "common/text/human.h"
#include "common/text/utf8.h"
#include "common/tls/token.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <map>
#include <string_view>

namespace vigil::aggregator {
namespace {

/// What a reload puts in force; every other key needs a restart.
std::vector<std::string_view> reloadable_keys() {
  return {"rules", "actions", "log_level"};
}

/// The text of a file; "" when there is none or it cannot be read, which the reload itself complains about.
std::string text_at(const std::string& path) {
  if (path.empty()) return {};
  auto text = config::read_file(path);
  return text ? std::move(*text) : std::string();
}

bool is_secret_file(std::string_view key) {
  return key.ends_with("_file") && !key.ends_with("alertmanager_file") && !key.ends_with("ca_file");
}

SecretFiles secret_files(const AggregatorConfig& config, const std::vector<std::string_view>& sections) {
  SecretFiles out;
  for (const config::Setting& setting : config::settings(config)) {
    const bool is_there = std::ranges::any_of(
        sections, [&setting](std::string_view section) { return setting.path.starts_with(section); });
    if (is_there && is_secret_file(setting.path) && !setting.value.empty())
      out[setting.path] = {setting.value, tls::digest_of(text_at(setting.value))};
  }
  return out;
}

SecretFiles read_again(const AggregatorConfig& config) {
  SecretFiles out = secret_files(config, {"actions"});
  for (const std::string& path : config::secret_files_of({config.notifications.alertmanager_file}))
    out[path] = {path, tls::digest_of(text_at(path))};
  return out;
}

SecretFiles read_at_start(const AggregatorConfig& config) {
  return secret_files(config, {"notifications.", "access.oidc."});
}

/// Keys of files that are the same and hold another secret.
std::vector<std::string> rotated(const SecretFiles& before, const SecretFiles& after) {
  std::vector<std::string> out;
  for (const auto& [key, file] : after) {
    const auto old = before.find(key);
    if (old != before.end() && old->second.first == file.first && old->second.second != file.second)
      out.push_back(key);
  }
  return out;
}

/// For the log of changes.
std::vector<config::Setting> without_secrets(std::vector<config::Setting> settings) {
  for (config::Setting& setting : settings)
    setting.value = config::redacted_value(setting.path, setting.value);
  return settings;
}

/// All that a file or an override can say of a rule, as one text to compare.
std::string text_of(const rules::Rule& rule) {
  std::string text =
      fmt::format("{} {} {} {} {} {} {}", rule.expr_text, rule.hold.count(), rule.keep_firing_for.count(),
                  rule.interval.count(), rule.query_offset.count(), rule.limit, static_cast<int>(rule.kind));
  for (const auto* list : {&rule.labels, &rule.annotations}) {
    for (const rules::NamedTemplate& each : *list) text += fmt::format("\n{}: {}", each.name, each.text);
    text += '\n';
  }
  const rules::RuleExtras& extras = rule.extras;
  text += fmt::format("{} {} {} {} {} {}", extras.times.enough, extras.times.of,
                      static_cast<int>(extras.on_no_data), extras.flapping.changes,
                      extras.flapping.within.count(), extras.steady.count());
  for (const rules::Origin& origin : rule.explain) text += fmt::format("\n{}={}", origin.what, origin.value);
  for (const auto& action : extras.actions)
    text += fmt::format("\n{}{}", action.name, action.on_resolved ? "!" : "");
  for (const rules::EvidenceText& each : extras.evidence)
    text += fmt::format("\n{}: {}", each.title, each.text);
  for (const promql::Expr* expr : {extras.clear.get(), extras.lasting.get(), extras.known.get()})
    text += '\n' + (expr == nullptr ? std::string() : promql::to_string(*expr));
  return text;
}

std::map<std::string_view, const rules::Rule*> by_key(const rules::RuleSet& set) {
  std::map<std::string_view, const rules::Rule*> out;
  for (const rules::RulePtr& rule : set.rules()) out.emplace(rule->key, rule.get());
  return out;
}

void say(std::vector<std::string>& lines, const std::vector<std::string>& names, std::string_view what) {
  constexpr std::size_t kMostNames = 10;
  if (names.empty()) return;
  const std::size_t shown = std::min(names.size(), kMostNames);
  lines.push_back(fmt::format("{} {}: {}{}", counted(names.size(), "rule", "rules"), what,
                              fmt::join(names.begin(), names.begin() + static_cast<long>(shown), ", "),
                              names.size() > shown ? ", …" : ""));
}

}  // namespace

std::vector<std::string> rule_changes(const rules::RuleSet& before, const rules::RuleSet& after) {
  const auto old_rules = by_key(before);
  const auto new_rules = by_key(after);
  std::vector<std::string> added;
  std::vector<std::string> changed;
  std::vector<std::string> removed;
  for (const auto& [key, rule] : new_rules) {
    const auto old = old_rules.find(key);
    if (old == old_rules.end()) {
      added.push_back(rule->name);
    } else if (text_of(*old->second) != text_of(*rule)) {
      changed.push_back(rule->name);
    }
  }
  for (const auto& [key, rule] : old_rules) {
    if (!new_rules.contains(key)) removed.push_back(rule->name);
  }
  std::vector<std::string> lines;
  say(lines, added, "added");
  say(lines, changed, "changed");
  say(lines, removed, "removed");
  return lines;
}

ConfigInForce::ConfigInForce(const AggregatorConfig& at_start)
    : settings_(config::settings(at_start), reloadable_keys()),
      routes_path_(at_start.notifications.alertmanager_file),
      routes_(text_at(routes_path_)),
      read_again_(read_again(at_start)),
      read_at_start_(read_at_start(at_start)) {}

ReloadReport ConfigInForce::compare(const AggregatorConfig& next) {
  config::Changes changes = settings_.compare(config::settings(next));
  ReloadReport report{std::move(changes.taken),
                      std::move(changes.needs_restart),
                      {},
                      without_secrets(std::move(changes.before)),
                      without_secrets(std::move(changes.after))};
  if (text_at(routes_path_) != routes_) report.changed.push_back(routes_path_);
  std::ranges::move(rotated(read_again_, read_again(next)), std::back_inserter(report.changed));
  std::ranges::move(rotated(read_at_start_, read_at_start(next)), std::back_inserter(report.needs_restart));
  return report;
}

void ConfigInForce::adopt(const AggregatorConfig& next) {
  settings_.adopt(config::settings(next));
  routes_ = text_at(routes_path_);
  read_again_ = read_again(next);
  waiting_ = settings_.compare(config::settings(next)).needs_restart.size() +
             rotated(read_at_start_, read_at_start(next)).size();
}

void ReloadRequests::ask(Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!refusing_) {
      asked_.push_back(std::move(done));
      ::kill(::getpid(), SIGHUP);
      return;
    }
  }
  done(fail(Errc::unavailable, "the aggregator stops"));
}

std::vector<ReloadRequests::Done> ReloadRequests::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(asked_, {});
}

void ReloadRequests::refuse() {
  {
    const std::lock_guard lock(mutex_);
    refusing_ = true;
  }
  for (const Done& done : take()) done(fail(Errc::unavailable, "the aggregator stops"));
}

ReloadState::ReloadState(std::string yaml, std::int64_t started_ms)
    : state_{std::move(yaml), true, started_ms} {}

void ReloadState::taken(std::string yaml, std::vector<std::string> needs_restart, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  state_ = {std::move(yaml), true, now_ms};
  needs_restart_ = std::move(needs_restart);
}

void ReloadState::refused(std::string_view why) {
  const std::lock_guard lock(mutex_);
  state_.reload_ok = false;
  state_.reload_error = well_formed(why);  // a path may hold any bytes
}

api::ConfigState ReloadState::shown() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void ReloadState::describe(v1::Status& status) const {
  const std::lock_guard lock(mutex_);
  if (!state_.reload_ok) status.add_problems(reload_problem(state_.reload_error));
  for (const std::string& key : needs_restart_) status.add_needs_restart(key);
}

ReloadMetrics::ReloadMetrics(self::Registry& registry, std::int64_t started_ms)
    : taken_(registry.counter("vigil_aggregator_reloads_total",
                              "Times the configuration was read again, by what became of it.",
                              {{"outcome", "taken"}})),
      refused_(registry.counter("vigil_aggregator_reloads_total",
                                "Times the configuration was read again, by what became of it.",
                                {{"outcome", "refused"}})),
      successful_(registry.gauge("vigil_aggregator_reload_successful",
                                 "1 unless the latest reload was refused: the files have an error then.")),
      success_time_(registry.gauge("vigil_aggregator_reload_success_timestamp_seconds",
                                   "When the configuration in force was read, Unix seconds.")),
      restart_needed_(registry.gauge("vigil_aggregator_restart_needed_keys",
                                     "Keys of the configuration that were changed and need a restart.")) {
  successful_.set(1);
  success_time_.set(static_cast<double>(started_ms) / 1000);
}

void ReloadMetrics::taken(std::size_t waiting_for_restart, std::int64_t now_ms) {
  taken_.add();
  successful_.set(1);
  success_time_.set(static_cast<double>(now_ms) / 1000);
  restart_needed_.set(static_cast<double>(waiting_for_restart));
}

void ReloadMetrics::refused() {
  refused_.add();
  successful_.set(0);
}

}  // namespace vigil::aggregator
