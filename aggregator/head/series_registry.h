// The series of one host: dense ids, full label sets, and an index by metric name. Owned by a HostHead, so by
// one shard thread.
#pragma once

#include "aggregator/blocks/block.h"
#include "aggregator/head/id_table.h"
#include "aggregator/head/match_budget.h"
#include "aggregator/promql/storage.h"
#include "common/series.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator {

using LabelsPtr = std::shared_ptr<const Labels>;

/// How raw integers of a series become numbers. Two series of one label set may differ here (a source changed
/// its scale).
struct SeriesForm {
  SeriesType type = SeriesType::unknown;
  Encoding encoding = Encoding::decimal;
  std::uint8_t scale = 0;
  friend bool operator==(const SeriesForm&, const SeriesForm&) = default;
};

struct RegisteredSeries {
  LabelsPtr labels;  // with __name__, instance, job and the host's own; the same pointer for the same set
                     // within a host
  SeriesForm form;
  SeriesId next_named = kNoSeries;  // the one added before it among those of one metric name
  static constexpr SeriesId kNoSeries = std::numeric_limits<SeriesId>::max();
};

class SeriesRegistry {
 public:
  SeriesRegistry(std::string instance, Labels host_labels);

  /// The labels a series is found by. The sender's own `instance`, `job` or host label, if it differs, is
  /// kept as `exported_…`. Series of hosts without an agent stay as they are.
  Labels full_labels(const std::string& job, const SeriesSpec& spec) const;

  /// The same series of the same host under other host labels.
  SeriesRegistry relabelled(Labels host_labels) const;

  std::optional<SeriesId> find(const Labels& full, const SeriesForm& form) const;
  /// The one of these labels that was added last, in whatever form.
  std::optional<SeriesId> newest(const Labels& full) const;
  /// `id` is the one the history gave; ids may come in any order but are dense in the end.
  void add(SeriesId id, Labels full, const SeriesForm& form);
  /// Null for an id never added.
  const RegisteredSeries* at(SeriesId id) const;

  /// All series whose labels match, in order of id.
  std::vector<SeriesId> matching(std::span<const promql::Matcher> matchers) const;
  /// The same; when the budget is spent, those found so far.
  std::vector<SeriesId> matching(std::span<const promql::Matcher> matchers, MatchBudget& budget) const;
  /// False when no series of this host can match, by `instance` alone.
  bool may_match(std::span<const promql::Matcher> matchers) const;

  std::size_t size() const { return count_; }
  const std::string& instance() const { return instance_; }
  const Labels& host_labels() const { return host_labels_; }

 private:
  std::string_view name_of(SeriesId id) const { return series_[id].labels->get(kMetricName); }

  std::string instance_;
  bool as_sent_ = false;  // no label is added
  Labels host_labels_;
  std::size_t count_ = 0;
  std::vector<RegisteredSeries> series_;  // by id; labels null where an id is unused
  IdTable by_labels_;
  IdTable by_name_;  // the latest one of each metric name: the others are linked by next_named
};

}  // namespace vigil::aggregator
