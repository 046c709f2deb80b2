// A promql::Storage of what a unit test writes down and its rules record. Nothing of what is to come is seen.
#pragma once

#include "aggregator/promql/storage.h"
#include "aggregator/rules/recording.h"

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace vigil::trial {

class TestStorage : public promql::Storage {
 public:
  /// A sample at a time that has one already takes its place: the later word counts.
  void add(const Labels& labels, promql::Point point);
  void add(std::span<const rules::RecordedSample> samples);
  void set_now(std::int64_t now_ms) { now_ms_ = now_ms; }

  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection) override;

 private:
  struct Series {
    std::shared_ptr<const Labels> labels;
    std::vector<promql::Point> points;  // ascending
  };
  std::unordered_map<Labels, std::size_t, LabelsHash> places_;
  std::vector<Series> series_;
  std::int64_t now_ms_ = 0;
};

}  // namespace vigil::trial
