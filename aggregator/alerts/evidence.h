// Who is to blame: queries run at the moment an alert begins, for its host; their answers stay with the
// alert. Which queries is data (packaging/rules/evidence.yml), not code; a rule may add its own.
#pragma once

#include "aggregator/notify/notification.h"
#include "aggregator/promql/storage.h"
#include "aggregator/rules/rule_extras.h"
#include "aggregator/rules/template.h"
#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::alerts {

struct EvidenceQuery {
  std::string title;
  std::string expr;  // $instance stands for the host's name
  rules::Template name;
  rules::Template value;
};

struct EvidencePlan {
  std::string newest;  // gives the time of the host's newest sample, in Unix seconds
  std::vector<EvidenceQuery> queries;
};

/// Reads an evidence file; errors as "file:line:column: ...".
Result<EvidencePlan> load_evidence(std::string_view text, std::string file);

/// The answers, best first within each; queries without an answer leave no trace. Of a host that is silent
/// they are what it did last, and their titles say when that was.
std::vector<notify::Evidence> collect_evidence(const EvidencePlan& plan, promql::Storage& storage,
                                               std::string_view instance, std::int64_t t_ms);

/// For an instance at a time; runs on the alert service's thread.
using EvidenceCollector = std::function<std::vector<notify::Evidence>(std::string_view, std::int64_t)>;

/// What a rule's own questions give of an alert with these labels; those that fail say why in their place.
std::vector<notify::Evidence> ask_evidence(const std::vector<rules::EvidenceText>& texts,
                                           const rules::TemplateData& data,
                                           const rules::TemplateQuery& query);

/// What is kept, and the tables of `fresh` whose titles it has not, in the order of `fresh`.
std::vector<notify::Evidence> with_missing(std::vector<notify::Evidence> kept,
                                           std::vector<notify::Evidence> fresh);

/// Collects within bounds, for the alerts of one round: a mass of alerts waits neither for a mass of queries
/// nor, again and again, for a shard that does not answer.
class EvidenceRound {
 public:
  using Collect = std::function<std::vector<notify::Evidence>()>;

  explicit EvidenceRound(std::chrono::nanoseconds patience = kPatience)
      : patience_(patience), patience_left_(patience) {}
  void begin();
  /// Of one alert; nothing once the bounds are reached.
  std::vector<notify::Evidence> gather(const Collect& collect);

  static constexpr int kMost = 20;
  static constexpr std::chrono::milliseconds kPatience{2000};

 private:
  const std::chrono::nanoseconds patience_;
  int left_ = kMost;
  std::chrono::nanoseconds patience_left_;
};

}  // namespace vigil::alerts
