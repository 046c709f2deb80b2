// What a rule may say beyond Prometheus: when it is over (`clear`), how often it must be true (`times`), what
// missing data means (`on_no_data`, `known`, `steady`), when it only flaps (`flapping`), and what is asked
// when it begins
// (`evidence`). A rule without these is Prometheus's.
#pragma once

#include "aggregator/promql/ast.h"
#include "aggregator/rules/rule_file.h"
#include "aggregator/rules/template.h"
#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::rules {

/// True in `enough` of the last `of` evaluations that had data; of at most 64.
struct Times {
  int enough = 1;
  int of = 1;
  /// Of the latest evaluations, the newest in the lowest bit.
  bool are_enough(std::uint64_t history) const;
  bool are_any(std::uint64_t history) const;
  int count(std::uint64_t history) const;

 private:
  std::uint64_t latest(std::uint64_t history) const;
};
/// "3 of 5".
Result<Times> parse_times(std::string_view text);

/// So many beginnings and ends within this time: it flaps.
struct Flapping {
  int changes = 0;  // 0: nobody looks
  std::chrono::milliseconds within{};
  explicit operator bool() const { return changes > 0; }
};
/// "6 in 30m".
Result<Flapping> parse_flapping(std::string_view text);

/// A question whose answers are shown with the alert.
struct EvidenceText {
  std::string title;
  std::string text;
  Template expr;  // the text, which gives PromQL
};

/// An action that is asked for when the alert fires, or when it is over.
struct WantedAction {
  std::string name;
  bool on_resolved = false;
  std::string where;  // "rules.yml:7:16: groups[0].rules[0].actions[0]: ", for messages
};

struct RuleExtras {
  /// A firing alert goes on while this has a sample with its labels: the rule's expression with another
  /// threshold. Null: it does not.
  std::unique_ptr<promql::Expr> lasting;
  /// A firing alert goes on until this has a sample all of whose labels it has. Null: it does not.
  std::unique_ptr<promql::Expr> clear;
  /// With one of these: has the value of now although the condition is false. Null: nobody can tell it.
  std::unique_ptr<promql::Expr> measured;
  Times times;
  OnNoData on_no_data = OnNoData::keep;
  /// Has a sample of each label set of which the rule's expression knows whether it is true; null: that is
  /// the expression without its conditions.
  std::unique_ptr<promql::Expr> known;
  std::chrono::milliseconds steady{};  // what had data for a shorter time is not missed
  Flapping flapping;
  std::vector<EvidenceText> evidence;
  std::vector<WantedAction> actions;

  bool may_outlast() const { return lasting || clear; }
};

/// Reports what is wrong at its place. `expr` is the rule's, with overrides, and has been parsed.
RuleExtras compile_extras(const RawRule& raw, const std::string& expr);

}  // namespace vigil::rules
