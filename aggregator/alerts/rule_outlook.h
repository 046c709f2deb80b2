// How a rule stands now, whether it has alerts or not: what it asks, what that gives for each label set, and
// why nothing fires. Pure but for what it asks; made on the thread of whoever wants to know.
#pragma once

#include "aggregator/alerts/listing.h"
#include "aggregator/promql/value.h"
#include "aggregator/silences/silence_book.h"
#include "common/error.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vigil::alerts {

struct SeriesOutlook {
  Labels labels;                // without the metric's name
  std::optional<double> value;  // of what is compared; nothing: unknown
  bool is_true = false;         // the whole expression is true for it
  std::string alert;            // id of its alert; "": there is none
  State state = State::inactive;
  std::int64_t held_ms = 0;  // of its alert
  int times_true = 0;
  std::vector<std::string> held_back_by;  // "silence 6f0c0a83 of ada: new disks"
};

struct RuleOutlook {
  RuleInfo info;
  std::string compared;               // PromQL
  std::string comparison;             // "> 5"; "": it compares with no number
  std::optional<double> limit;        // 5
  std::string why;                    // nothing fires; "": something does
  std::vector<SeriesOutlook> series;  // that fire, that are true, then those nearest to it
  std::size_t left_out = 0;
};

/// What is known of the host that is asked about.
struct HostOutlook {
  std::string name;  // "": all hosts are asked about
  bool is_known = true;
  std::int64_t unheard_since_ms = 0;  // 0: it is not down
  bool is_awaited = false;            // nothing came of it since the start of the aggregator, which waits
};

struct OutlookSources {
  /// PromQL as of a time in Unix milliseconds.
  std::function<Result<promql::Vector>(const promql::Expr& expr, std::int64_t t_ms)> ask;
  const std::vector<AlertInfo>& alerts;  // AlertService::alerts()
  const silences::SilenceBook& silences;
  std::int64_t now_ms = 0;
};
/// Of an alerting rule.
RuleOutlook look_at(const RuleInfo& rule, const HostOutlook& host, const OutlookSources& sources);

}  // namespace vigil::alerts
