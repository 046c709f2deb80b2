// All alert rules in force: parsed, layered, type-checked, immutable. Made at start and at every reload,
// shared by the shards and the alert service; the old one lives until the last user has let go of it.
//
// Layers, later ones win: the shipped preset, then the user's files (a rule with the same group and name
// replaces the shipped one), then `overrides`. Rule::explain tells where each value came from.
#pragma once

#include "aggregator/promql/ast.h"
#include "aggregator/promql/value.h"
#include "aggregator/rules/config.h"
#include "aggregator/rules/rule_extras.h"
#include "aggregator/rules/template.h"
#include "common/error.h"
#include "common/series.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::rules {

enum class RuleKind : std::uint8_t { alert, record };

/// Where a rule is evaluated: on the shard of each host, right after its samples came in; or on the whole
/// fleet, at the group's interval.
enum class Scope : std::uint8_t { host, fleet };
std::string_view to_string(Scope scope);

/// What happened to a rule since the rule set was made. Any thread.
struct RuleStats {
  std::atomic<std::uint64_t> evaluations = 0;
  std::atomic<std::uint64_t> failures = 0;
  std::atomic<std::int64_t> last_evaluation_ms = 0;
  std::atomic<std::int64_t> last_duration_ns = 0;  // how long it took, of a host rule on one host
  void note_error(std::string message);
  std::string last_error() const;  // "" when the latest evaluation went well

 private:
  mutable std::mutex mutex_;  // protects last_error_
  std::string last_error_;
  std::atomic<bool> has_error_ = false;

 public:
  void note_success() {
    if (has_error_.load(std::memory_order_relaxed)) note_error({});
  }
};

struct NamedTemplate {
  std::string name;
  std::string text;
  Template compiled;
};

/// "threshold" = "85", from "vigil.yml:12 (override; production.yml says 80)"
struct Origin {
  std::string what;
  std::string value;
  std::string from;
};

struct Rule {
  RuleKind kind = RuleKind::alert;
  std::string key;  // stable identity over restarts: "group/name/severity", with "#2" for a second such rule
  std::string group;
  std::string name;  // of the alert or the recorded metric
  std::string file;
  int line = 0;
  std::string expr_text;  // canonical, overrides applied
  std::unique_ptr<promql::Expr> expr;
  /// Has a sample wherever `expr` could have one were its conditions true: tells "false" from "no data". Null
  /// when the two cannot be told apart (absent(), topk()): then no sample means false.
  std::unique_ptr<promql::Expr> presence;
  std::chrono::milliseconds interval{};
  std::chrono::milliseconds hold{};  // `for`
  std::chrono::milliseconds keep_firing_for{};
  std::chrono::milliseconds query_offset{};  // of the group: it is evaluated as of this long ago
  std::vector<NamedTemplate> labels;
  std::vector<NamedTemplate> annotations;
  RuleExtras extras;
  std::size_t limit = 0;  // of the group: alerts or series of one evaluation; 0: none
  Scope scope = Scope::fleet;
  std::vector<std::string> metric_names;
  std::optional<double> threshold;  // the number an override of `threshold` replaces
  std::vector<Origin> explain;
  std::shared_ptr<RuleStats> stats = std::make_shared<RuleStats>();

  std::string_view label(std::string_view name) const;
  std::string_view annotation(std::string_view name) const;
};
using RulePtr = std::shared_ptr<const Rule>;

/// Rules evaluated together, in this order: the alerts of one scope and interval; or, where a group records,
/// what that group has for the whole fleet, since its rules see what those before them recorded.
struct Schedule {
  std::chrono::milliseconds interval{};
  std::vector<RulePtr> rules;
  std::string recording_group;  // file and name; "" for alerts that look at no rule's order

  bool records() const { return !recording_group.empty(); }
};

struct Layers;

/// A rule file that is in no folder here.
struct RuleText {
  std::string name;  // for messages
  std::string text;
};

class RuleSet {
 public:
  /// Reads preset and files, those that fit where a pattern stands, and applies the overrides. All errors are
  /// reported at once, one a line and by file in their order, as "file:line:column: groups[0].rules[3].expr:
  /// ...".
  static Result<std::shared_ptr<const RuleSet>> load(const RulesConfig& config, const Labels& external_labels,
                                                     std::string external_url);

  /// The same of texts; `config` gives the interval of groups that name none.
  static Result<std::shared_ptr<const RuleSet>> load_texts(const std::vector<RuleText>& texts,
                                                           const RulesConfig& config,
                                                           const Labels& external_labels,
                                                           std::string external_url);

  /// Those of its alerting rules that have one of these names; they share their statistics with this.
  std::shared_ptr<const RuleSet> only_alerts(const std::set<std::string_view>& names) const;

  /// In the order of the files.
  const std::vector<RulePtr>& rules() const { return rules_; }
  const std::vector<Schedule>& host_schedules() const { return host_schedules_; }
  const std::vector<Schedule>& fleet_schedules() const { return fleet_schedules_; }
  RulePtr find(std::string_view key) const;
  /// What was accepted but is probably not meant: two rules that do the same, a pattern that no file fits.
  const std::vector<std::string>& warnings() const { return warnings_; }
  const Labels& external_labels() const { return external_labels_; }
  const std::string& external_url() const { return external_url_; }

 private:
  RuleSet() = default;
  static Result<std::shared_ptr<const RuleSet>> build(const Layers& layers, const RulesConfig& config,
                                                      std::pair<Labels, std::string> external);
  void schedule();

  std::vector<RulePtr> rules_;
  std::vector<Schedule> host_schedules_;
  std::vector<Schedule> fleet_schedules_;
  std::vector<std::string> warnings_;
  Labels external_labels_;
  std::string external_url_;
};
using RuleSetPtr = std::shared_ptr<const RuleSet>;

struct KnownAlert {
  promql::LabelsPtr labels;
  bool fires = false;
  double value = 0;  // the latest there was
};
/// Alerts that exist already when their evaluation begins, by (rule key, scope).
using KnownAlerts = std::map<std::pair<std::string, std::string>, std::vector<KnownAlert>>;
using KnownAlertsPtr = std::shared_ptr<const KnownAlerts>;

/// The rule set in force, for readers on any thread; a reload replaces it.
class CurrentRules {
 public:
  explicit CurrentRules(RuleSetPtr first) : rules_(std::move(first)) {}
  RuleSetPtr get() const;
  void replace(RuleSetPtr next);
  /// Changes with every replace(): cheap to ask on every tick.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

  /// Alerts whose rule looked at each host before a reload and looks at the fleet now, or the other way
  /// round: whoever evaluates it now has not seen them, and is to end them. All of this run that are left.
  void hand_over(KnownAlertsPtr moved);
  /// Null: none.
  KnownAlertsPtr moved() const;
  /// Changes with every hand_over().
  std::uint64_t moves() const { return moves_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;  // protects rules_ and moved_
  RuleSetPtr rules_;
  KnownAlertsPtr moved_;
  std::atomic<std::uint64_t> version_ = 1;
  std::atomic<std::uint64_t> moves_ = 0;
};

}  // namespace vigil::rules
