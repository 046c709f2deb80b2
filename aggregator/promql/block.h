// The evaluator's working values: instant vectors and scalars over all steps of a query at once. Internal to
// the engine.
#pragma once

#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/value.h"
#include "common/series.h"

#include <atomic>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vigil::promql {

/// "No sample at this step". The staleness marker never leaves a selector as a value, so its bits are free to
/// mean this.
inline const double kNoValue = stale_marker();
inline bool has_value(double value) {
  return !is_stale(value);
}

/// The evaluation times of a node: start, start + step, ...
struct Grid {
  std::int64_t start_ms = 0;
  std::int64_t step_ms = 1;
  std::size_t steps = 1;
  std::int64_t at(std::size_t step) const { return start_ms + static_cast<std::int64_t>(step) * step_ms; }
  std::int64_t end_ms() const { return at(steps - 1); }
};

/// Limits of one evaluation: what it may hold and how long it may run. Owned by the Evaluator; the threads
/// that read for it share it.
class Pulse {
 public:
  explicit Pulse(const EvalOptions& options) : options_(&options) {}

  /// Accounts for `samples` more in memory. Errc::limit when that is too much.
  Result<void> hold(std::size_t samples);
  void release(std::size_t samples) { held_ -= samples; }

  /// Accounts for work on `points` points; asks the caller's deadline every million. False: stop, check()
  /// says why.
  bool working(std::size_t points);
  /// Asks the deadline and the cancellation flag now.
  Result<void> check();

 private:
  const EvalOptions* options_;
  std::atomic<std::size_t> held_ = 0;
  std::atomic<std::size_t> work_ = 0;
  std::atomic<bool> stopped_ = false;
};

/// Samples accounted for as long as it lives.
class Held {
 public:
  Held() = default;
  Held(Pulse& pulse, std::size_t samples) : pulse_(&pulse), samples_(samples) {}
  Held(Held&& other) noexcept : pulse_(std::exchange(other.pulse_, nullptr)), samples_(other.samples_) {}
  Held& operator=(Held&& other) noexcept {
    std::swap(pulse_, other.pulse_);
    std::swap(samples_, other.samples_);
    return *this;
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    if (pulse_) pulse_->release(samples_);
  }

 private:
  Pulse* pulse_ = nullptr;
  std::size_t samples_ = 0;
};

/// Whether the label sets still carry the metric's name. Dropping it is a flag: label sets stay shared with
/// the storage until a result or a new label set is built.
enum class Names : std::uint8_t { kept, dropped };

/// Rows are series; a row has one value or kNoValue per step. A scalar is a Block of one row without labels.
struct Block {
  std::size_t steps = 1;
  Names names = Names::kept;
  bool one_name = false;  // all rows are known to share one metric name, so dropping it makes no duplicates
  std::vector<LabelsPtr> labels;
  std::vector<double> values;  // row-major
  Held held;

  std::size_t rows() const { return labels.size(); }
  std::span<double> row(std::size_t i) { return std::span(values).subspan(i * steps, steps); }
  std::span<const double> row(std::size_t i) const { return std::span(values).subspan(i * steps, steps); }

  /// Adds a row of kNoValue and returns it; the span is valid until the next change.
  std::span<double> add_row(LabelsPtr series);
  /// Takes the last row away when it has no value at any step.
  void drop_last_if_empty();
  void drop_empty_rows();
};

/// Shared by everything that has no labels.
const LabelsPtr& no_labels();

/// An empty block for results over `grid`, and a scalar block of one row.
Block make_block(const Grid& grid);
Block make_scalar(const Grid& grid, double value);

/// Label sets without the name where the block says so; afterwards names == kept.
void materialize_names(Block& block);

/// Drops the metric name and merges rows that become equal. Errc::invalid_argument when two of them have a
/// value at the same step.
Result<void> drop_names(Block& block);

/// Merges rows of equal labels, as drop_names does.
Result<void> merge_duplicates(Block& block);

}  // namespace vigil::promql
