// Alertmanager's inhibition rules: which firing alerts hold back the messages of others. Pure; made anew from
// the firing alerts whenever they change.
#pragma once

#include "aggregator/matchers/matchers.h"
#include "common/series.h"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace vigil::routing {

/// A firing alert that `source` matches holds back each one that `target` matches and that has the same
/// values for the labels of `equal`; none in both is the same. What both sides match is not held back by what
/// both sides match, so that nothing holds back itself.
struct InhibitRule {
  std::string name;  // as written, or "inhibit_rules[2]"
  matchers::Matchers source;
  matchers::Matchers target;
  std::vector<std::string> equal;
};

class Inhibitions {
 public:
  /// `rules` must outlive it.
  explicit Inhibitions(const std::vector<InhibitRule>& rules) : rules_(rules), sources_(rules.size()) {}

  void add_firing(const std::string& fingerprint, const Labels& labels);

  struct By {
    const InhibitRule* rule = nullptr;
    std::string fingerprint;  // of the alert that holds back
  };
  std::optional<By> inhibitor_of(const Labels& labels) const;

 private:
  struct Source {
    std::string fingerprint;
    bool is_target_too = false;
  };
  static Labels shared(const InhibitRule& rule, const Labels& labels);

  const std::vector<InhibitRule>& rules_;
  // Of each rule: its sources by their values for `equal`.
  std::vector<std::unordered_map<Labels, std::vector<Source>, LabelsHash>> sources_;
};

}  // namespace vigil::routing
