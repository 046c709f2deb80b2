// Who is to blame: queries run at the moment an alert fires, for its host; their answers stay with the alert.
// Which queries is data (packaging/rules/evidence.yml), not code.
#pragma once

#include "aggregator/notify/notification.h"
#include "aggregator/promql/storage.h"
#include "aggregator/rules/template.h"
#include "common/error.h"

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

/// Reads an evidence file; errors as "file:line:column: ...".
Result<std::vector<EvidenceQuery>> load_evidence(std::string_view text, std::string file);

/// The answers, best first within each; queries without an answer leave no trace.
std::vector<notify::Evidence> collect_evidence(const std::vector<EvidenceQuery>& queries,
                                               promql::Storage& storage, std::string_view instance,
                                               std::int64_t t_ms);

/// For an instance at a time; runs on the alert service's thread.
using EvidenceCollector = std::function<std::vector<notify::Evidence>(std::string_view, std::int64_t)>;

}  // namespace vigil::alerts
