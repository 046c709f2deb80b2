// The series of one host: ids, full label sets, and an index by metric name. Owned by a HostHead, so by one
// shard thread.
//
// A series leaves when nothing of it is stored any more. To find out takes a while, in which it may come
// back: so each one knows in which round of looking it was used last, and only those that were not used since
// a round began may leave at its end.
#pragma once

#include "aggregator/blocks/block.h"
#include "aggregator/head/by_id.h"
#include "aggregator/head/id_table.h"
#include "aggregator/head/match_budget.h"
#include "aggregator/promql/storage.h"
#include "common/series.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
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
  std::uint8_t used_in = 0;         // the round in which it was used last
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

  /// Whoever looks for a series this way is about to use it, and has.
  std::optional<SeriesId> find(const Labels& full, const SeriesForm& form);
  /// The one of these labels that was added last, in whatever form. As find().
  std::optional<SeriesId> newest(const Labels& full);
  /// `id` is the one the history gave; ids may come in any order.
  void add(SeriesId id, Labels full, const SeriesForm& form);
  /// Null for an id never added, or one that left.
  const RegisteredSeries* at(SeriesId id) const { return series_.find(id); }

  /// The id of the next new series: above all there ever were.
  SeriesId next_id() const { return next_id_; }
  /// Ids below it were given before our start.
  void reserve_ids(SeriesId next) { next_id_ = std::max(next_id_, next); }

  void begin_round() { ++round_; }
  void use(SeriesId id);
  /// It is known, and was not used since the round began. (A round is a byte: once in 256 of them an old use
  /// passes for a new one, and the series leaves a round later.)
  bool unused(SeriesId id) const;
  /// They leave; all must be known. Walks once through the series of each of their names, and erases each by
  /// its hash: linear in what leaves and what has the same name.
  void remove(std::span<const SeriesId> ids);

  /// All series whose labels match, in order of id.
  std::vector<SeriesId> matching(std::span<const promql::Matcher> matchers) const;
  /// The same; when the budget is spent, those found so far.
  std::vector<SeriesId> matching(std::span<const promql::Matcher> matchers, MatchBudget& budget) const;
  /// False when no series of this host can match, by `instance` alone.
  bool may_match(std::span<const promql::Matcher> matchers) const;

  std::size_t size() const { return series_.size(); }
  const std::string& instance() const { return instance_; }
  const Labels& host_labels() const { return host_labels_; }

 private:
  /// `go_on` says before each series whether to look at it.
  template <class GoOn>
  std::vector<SeriesId> matching_while(std::span<const promql::Matcher> matchers, GoOn go_on) const;
  std::string_view name_of(SeriesId id) const { return series_[id].labels->get(kMetricName); }
  void unlink(std::string_view name, const std::unordered_set<SeriesId>& leaving);

  std::string instance_;
  bool as_sent_ = false;  // no label is added
  Labels host_labels_;
  SeriesId next_id_ = 0;
  std::uint8_t round_ = 0;
  ById<RegisteredSeries> series_;
  IdTable by_labels_;
  IdTable by_name_;  // the latest one of each metric name: the others are linked by next_named
};

}  // namespace vigil::aggregator
