// The state of all alerts: a pure state machine. Evaluations and times go in, transitions come out; it knows
// no clock, no disk and nobody to notify. Owned by the alert service.
#pragma once

#include "aggregator/alerts/alert.h"
#include "aggregator/rules/evaluation.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vigil::alerts {

/// Answers what texts ask of the storage, {{ query "..." }}, as of a time in Unix milliseconds.
using Ask = std::function<Result<std::vector<std::pair<Labels, double>>>(std::string_view, std::int64_t)>;

struct AlertBookOptions {
  Labels external_labels;
  std::string external_url;
  Ask ask{};                         // may be empty: then texts that ask say that they cannot
  std::chrono::milliseconds step{};  // between evaluations; 0: as the rules say
};

class AlertBook {
 public:
  explicit AlertBook(AlertBookOptions options) : options_(std::move(options)) {}

  /// Puts back what was stored. Before the first apply().
  void restore(Alert alert);
  /// An alert of this fingerprint() of rule and series began or ended then, before this run: for rules that
  /// look for flapping. It is not the alert's own where its labels changed with its value.
  void restore_change(const std::string& series, std::int64_t t_ms);

  std::vector<Transition> apply(const rules::Evaluation& evaluation);

  /// Ends what only waits for the time: alerts kept firing by keep_firing_for.
  std::vector<Transition> expire(std::int64_t now_ms);

  /// The rules changed: alerts find their rule by its key, wherever it is evaluated now; those without one
  /// end ("rule removed").
  std::vector<Transition> adopt(const rules::RuleSet& rules, std::int64_t now_ms);
  /// Those that adopt() has moved from the hosts' rules to the fleet's, or back, as far as they are left.
  rules::KnownAlertsPtr moved() const;

  /// The host was removed: its alerts end.
  std::vector<Transition> forget_host(std::string_view instance, std::int64_t now_ms);

  /// How long it fires on after its condition was last true.
  static std::int64_t keep_ms(const Alert& alert);

  /// Every pending and firing alert. The reference is good until the next call that changes the book.
  void for_each(const std::function<void(const Alert&)>& visit) const;
  /// Its texts for people, filled in with the value it has now; those that ask the storage stay as they were
  /// when its state changed. Those it fired with are in its messages.
  Labels annotations_now(const Alert& alert) const;
  /// All of them as of now, at the cost of asking.
  Labels annotations_at(const Alert& alert, std::int64_t t_ms) const;
  /// The alert, or null.
  Alert* find(const std::string& fingerprint);
  const Alert* find(const std::string& fingerprint) const;
  std::size_t size() const { return by_fingerprint_.size(); }

 private:
  using Key = std::string;  // rule key, NUL, scope
  using Alerts = std::unordered_map<Labels, Alert, LabelsHash>;

  Alert* alert_of(const rules::Evaluation& evaluation, const rules::ActiveSample& sample, const Key& key,
                  Alerts& alerts, std::vector<Transition>& out);
  /// When an evaluation was, and which time it covers.
  struct Moment {
    std::int64_t t_ms = 0;
    aggregator::Covered covered;
  };
  void hold(Alert& alert, const rules::ActiveSample& sample, const Moment& moment,
            std::vector<Transition>& out);
  void hold_true(Alert& alert, const rules::ActiveSample& sample, const Moment& moment,
                 std::vector<Transition>& out);
  void count(Alert& alert, bool seen_before, const Moment& moment) const;
  void begin(Alert& alert, std::int64_t t_ms, std::vector<Transition>& out);
  void note_change(Alert& alert, std::int64_t t_ms);
  bool is_calm(Alert& alert, std::int64_t t_ms);
  void outlast(Alert& alert, double value, std::int64_t t_ms);
  static void add_standing(const Alert& alert, Labels& annotations);
  void relabel(Alert& alert, double value, std::int64_t t_ms, std::vector<Transition>& out);
  void hold_false(Alert& alert, std::int64_t t_ms, std::vector<Transition>& out);
  void end(Alert& alert, std::int64_t t_ms, std::string_view reason, std::vector<Transition>& out);
  void rescope(const Key& key, const Labels& labels, std::int64_t now_ms, std::vector<Transition>& out);
  void describe(Alert& alert, double value, std::int64_t t_ms) const;
  Labels labels_of(const Alert& alert, double value, std::int64_t t_ms) const;
  std::string expand(const Alert& alert, const rules::NamedTemplate& text, std::int64_t t_ms) const;
  std::int64_t longest_step_ms(const rules::Rule& rule) const;
  void forget_ended(const std::vector<Transition>& transitions);

  AlertBookOptions options_;
  std::unordered_map<Key, Alerts> groups_;
  std::unordered_map<std::string, std::pair<Key, Labels>> by_fingerprint_;
  /// When alerts of rules that look for flapping began and ended, by the fingerprint of rule and series, the
  /// oldest first.
  std::unordered_map<std::string, std::deque<std::int64_t>> changes_;
  std::int64_t longest_flapping_ms_ = 0;
};

/// How far back rules look for flapping.
std::chrono::milliseconds longest_flapping(const rules::RuleSet& rules);

/// Whether `scope` is of the kind the rule is evaluated for: a host, or "" for the whole fleet.
bool has_scope_of(const rules::Rule& rule, std::string_view scope);
/// The alert's scope where `rule` is evaluated now, as far as its labels tell.
std::string scope_in(const rules::Rule& rule, const Alert& alert);

/// 16 hex digits, stable over restarts and versions (FNV-1a).
std::string fingerprint(std::string_view rule_key, const Labels& series);

}  // namespace vigil::alerts
