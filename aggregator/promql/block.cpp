#include "aggregator/promql/block.h"

#include "aggregator/promql/label_filter.h"

#include <algorithm>
#include <utility>

namespace vigil::promql {
namespace {

constexpr std::size_t kWorkPerCheck = 1 << 20;

bool is_empty(std::span<const double> row) {
  return std::ranges::none_of(row, has_value);
}

/// Copies what `from` has into `into`; false when both have a value at one step.
bool merge_row(std::span<const double> from, std::span<double> into) {
  for (std::size_t step = 0; step < from.size(); ++step) {
    if (!has_value(from[step])) continue;
    if (has_value(into[step])) return false;
    into[step] = from[step];
  }
  return true;
}

}  // namespace

Result<void> Pulse::hold(std::size_t samples) {
  if (held_.fetch_add(samples) + samples > options_->max_samples) {
    held_ -= samples;
    return fail(Errc::limit,
                "the query needs more than {} samples in memory; narrow its selectors or its time range",
                options_->max_samples);
  }
  if (auto ok = check(); !ok) {
    held_ -= samples;
    return ok;
  }
  return {};
}

bool Pulse::working(std::size_t points) {
  if (work_.fetch_add(points, std::memory_order_relaxed) + points >= kWorkPerCheck) {
    work_ = 0;
    if (!check()) stopped_ = true;
  }
  return !stopped_;
}

Result<void> Pulse::check() {
  if (options_->cancelled && options_->cancelled->load(std::memory_order_relaxed))
    return fail(Errc::unavailable, "the query was cancelled");
  if (options_->expired && options_->expired())
    return fail(Errc::timeout, "the query took longer than its deadline");
  return {};
}

std::span<double> Block::add_row(LabelsPtr series) {
  labels.push_back(std::move(series));
  values.resize(values.size() + steps, kNoValue);
  return row(labels.size() - 1);
}

void Block::drop_last_if_empty() {
  if (!is_empty(row(labels.size() - 1))) return;
  labels.pop_back();
  values.resize(values.size() - steps);
}

void Block::drop_empty_rows() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows(); ++i) {
    if (is_empty(row(i))) continue;
    if (kept != i) {
      labels[kept] = std::move(labels[i]);
      std::ranges::copy(row(i), row(kept).begin());
    }
    ++kept;
  }
  labels.resize(kept);
  values.resize(kept * steps);
}

const LabelsPtr& no_labels() {
  static const LabelsPtr kEmpty = std::make_shared<const Labels>();
  return kEmpty;
}

Block make_block(const Grid& grid) {
  Block block;
  block.steps = grid.steps;
  return block;
}

Block make_scalar(const Grid& grid, double value) {
  Block block = make_block(grid);
  std::ranges::fill(block.add_row(no_labels()), value);
  return block;
}

void materialize_names(Block& block) {
  if (block.names == Names::kept) return;
  for (LabelsPtr& labels : block.labels) {
    if (!labels->has(kMetricName)) continue;
    Labels without = *labels;
    without.erase(kMetricName);
    labels = std::make_shared<const Labels>(std::move(without));
  }
  block.names = Names::kept;
}

Result<void> merge_duplicates(Block& block) {
  if (block.rows() < 2) return {};
  const LabelFilter filter = LabelFilter::all(block.names);
  // The index keeps references to label sets: they must not die when rows move.
  const std::vector<LabelsPtr> labels = block.labels;
  KeyIndex index;
  index.reserve(labels.size());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::size_t key = index.insert(*labels[i], filter);
    if (key < kept) {
      if (merge_row(block.row(i), block.row(key))) continue;
      return fail(Errc::invalid_argument, "the result would contain two series with the same labels: {}",
                  filter.apply(*labels[i]).to_string());
    }
    if (kept != i) {
      block.labels[kept] = labels[i];
      std::ranges::copy(block.row(i), block.row(kept).begin());
    }
    ++kept;
  }
  block.labels.resize(kept);
  block.values.resize(kept * block.steps);
  return {};
}

Result<void> drop_names(Block& block) {
  if (block.names == Names::dropped) return {};
  block.names = Names::dropped;
  if (block.one_name) return {};
  return merge_duplicates(block);
}

}  // namespace vigil::promql
