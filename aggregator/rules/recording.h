// Recording rules: what an expression gives becomes series under the rule's name, and a series that it gives
// no more ends with a staleness marker.
#pragma once

#include "aggregator/promql/storage.h"
#include "aggregator/promql/value.h"
#include "aggregator/rules/rule_set.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::rules {

/// A sample on its way into the store.
struct RecordedSample {
  promql::LabelsPtr labels;  // with __name__
  std::int64_t t_ms = 0;
  double value = 0;  // may be stale_marker()
};

/// Samples of one evaluation of a group.
struct RecordedBatch {
  std::string source;  // the group's name, or "ALERTS"
  std::vector<RecordedSample> samples;
};

/// Where samples that vigil makes itself go. Any thread; must not block. What does not get there is counted
/// and logged by whoever takes it.
using RecordSink = std::function<void(RecordedBatch)>;

/// What Prometheus's templates ask: `expr` as an instant vector at `t_ms`.
Result<std::vector<std::pair<Labels, double>>> ask(std::string_view expr, promql::Storage& storage,
                                                   std::int64_t t_ms);

/// `samples` under the name and with the labels of `rule`. Errc::invalid_argument when two are the same then,
/// Errc::limit beyond the group's limit.
Result<promql::Vector> as_recorded(const Rule& rule, promql::Vector samples);

/// What one recording rule gave last: the series to end when they are given no more, and what rules behind it
/// see before it is in the store.
class Record {
 public:
  /// Evaluates the rule and gives what is to be stored. A time that was evaluated already gives nothing.
  /// When the evaluation fails, the rule's statistics say why, and series stay as they are.
  std::vector<RecordedSample> evaluate(const Rule& rule, promql::Storage& storage, std::int64_t t_ms);
  /// The rule is no more: markers that end its series.
  std::vector<RecordedSample> end(std::int64_t t_ms);

  std::span<const RecordedSample> latest() const { return latest_; }

 private:
  std::vector<RecordedSample> latest_;   // of the last evaluation, markers included
  std::optional<std::int64_t> last_ms_;  // when it was evaluated last
};

}  // namespace vigil::rules
