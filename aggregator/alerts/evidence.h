// Who is to blame: queries run at the moment an alert fires, for its host; their answers stay with the alert.
// Which queries is data (packaging/rules/evidence.yml), not code.
#pragma once

#include "aggregator/notify/notification.h"
#include "aggregator/promql/storage.h"
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

/// Collects within bounds, for the alerts of one round: a mass of alerts waits neither for a mass of queries
/// nor, again and again, for a shard that does not answer.
class EvidenceRound {
 public:
  /// `collect` may be empty.
  explicit EvidenceRound(EvidenceCollector collect, std::chrono::nanoseconds patience = kPatience)
      : collect_(std::move(collect)), patience_(patience), patience_left_(patience) {}
  void begin();
  /// Nothing once the bounds are reached.
  std::vector<notify::Evidence> gather(std::string_view instance, std::int64_t t_ms);

  static constexpr int kMost = 20;
  static constexpr std::chrono::milliseconds kPatience{2000};

 private:
  const EvidenceCollector collect_;
  const std::chrono::nanoseconds patience_;
  int left_ = kMost;
  std::chrono::nanoseconds patience_left_;
};

}  // namespace vigil::alerts
