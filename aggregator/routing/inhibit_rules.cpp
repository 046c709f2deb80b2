#include "aggregator/routing/inhibit_rules.h"

#include <algorithm>

namespace vigil::routing {

Labels Inhibitions::shared(const InhibitRule& rule, const Labels& labels) {
  Labels out;
  for (const std::string& name : rule.equal) out.set(name, labels.get(name));
  return out;
}

void Inhibitions::add_firing(const std::string& fingerprint, const Labels& labels) {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const InhibitRule& rule = rules_[i];
    if (!matchers::matches(rule.source, labels)) continue;
    sources_[i][shared(rule, labels)].push_back({fingerprint, matchers::matches(rule.target, labels)});
  }
}

std::optional<Inhibitions::By> Inhibitions::inhibitor_of(const Labels& labels) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const InhibitRule& rule = rules_[i];
    if (!matchers::matches(rule.target, labels)) continue;
    const auto found = sources_[i].find(shared(rule, labels));
    if (found == sources_[i].end()) continue;
    const bool is_source_too = matchers::matches(rule.source, labels);
    const auto by = std::find_if(found->second.begin(), found->second.end(), [&](const Source& source) {
      return !(is_source_too && source.is_target_too);
    });
    if (by != found->second.end()) return By{&rule, by->fingerprint};
  }
  return std::nullopt;
}

}  // namespace vigil::routing
