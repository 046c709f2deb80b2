// A storage and, on top of it, what recording rules gave last: a rule sees what rules before it recorded at
// the same time, whether the store has it already or not.
#pragma once

#include "aggregator/promql/storage.h"
#include "aggregator/rules/recording.h"

#include <span>
#include <vector>

namespace vigil::rules {

class RecordedStorage : public promql::Storage {
 public:
  explicit RecordedStorage(promql::Storage& below) : below_(below) {}

  /// What `rule` recorded last, in place of what was shown of it before. Both outlive this.
  void show(const Rule& rule, std::span<const RecordedSample> samples);

  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection) override;
  /// A series at a time, unless it may be a recorded one.
  Result<void> visit(const promql::Selection& selection, promql::SeriesSink& sink) override;

 private:
  struct Shown {
    const Rule* rule = nullptr;
    std::span<const RecordedSample> samples;
  };
  promql::Storage& below_;
  std::vector<Shown> shown_;
};

}  // namespace vigil::rules
