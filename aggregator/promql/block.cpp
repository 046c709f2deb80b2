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

Error too_slow() {
  return fail(Errc::timeout, "the query took longer than its deadline (query.timeout)");
}

Result<void> Pulse::hold(std::size_t samples) {
  if (held_.fetch_add(samples) + samples > options_->max_samples) {
    held_ -= samples;
    return fail(
        Errc::limit,
        "the query needs more than {} samples in memory (query.max_samples); narrow its selectors or its "
        "time range",
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
  if (options_->expired && options_->expired()) return too_slow();
  return {};
}

std::span<double> Block::add_row(LabelsPtr series, Names name) {
  labels.push_back(std::move(series));
  names.push_back(name);
  values.resize(values.size() + steps, kNoValue);
  return row(labels.size() - 1);
}

void Block::drop_last_if_empty() {
  if (!is_empty(row(labels.size() - 1))) return;
  labels.pop_back();
  names.pop_back();
  values.resize(values.size() - steps);
}

void Block::drop_empty_rows() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows(); ++i) {
    if (is_empty(row(i))) continue;
    if (kept != i) {
      labels[kept] = std::move(labels[i]);
      names[kept] = names[i];
      std::ranges::copy(row(i), row(kept).begin());
    }
    ++kept;
  }
  labels.resize(kept);
  names.resize(kept);
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

LabelsPtr without_name(const LabelsPtr& labels) {
  if (!labels->has(kMetricName)) return labels;
  Labels without = *labels;
  without.erase(kMetricName);
  return std::make_shared<const Labels>(std::move(without));
}

Error same_labels(const Labels& labels) {
  return fail(Errc::invalid_argument, "vector cannot contain metrics with the same labelset: {}",
              labels.to_string());
}

Result<void> remove_names(Block& block) {
  bool changed = false;
  for (std::size_t i = 0; i < block.rows(); ++i) {
    if (block.names[i] == Names::kept) continue;
    block.labels[i] = without_name(block.labels[i]);
    block.names[i] = Names::kept;
    changed = true;
  }
  return changed && !block.one_name ? merge_duplicates(block) : Result<void>();
}

Result<void> merge_duplicates(Block& block) {
  if (block.rows() < 2) return {};
  const LabelFilter filter = LabelFilter::all();
  // The index keeps references to label sets: they must not die when rows move.
  const std::vector<LabelsPtr> labels = block.labels;
  constexpr std::size_t kNone = KeyIndex::kNone;
  KeyIndex index;
  index.reserve(labels.size());
  std::vector<std::array<std::size_t, 2>> rows;  // per key: where its rows with and without a name went
  std::size_t kept = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::size_t key = index.insert(*labels[i], filter);
    if (key == rows.size()) rows.push_back({kNone, kNone});
    std::size_t& row = rows[key][static_cast<std::size_t>(block.names[i])];
    if (row != kNone) {
      if (merge_row(block.row(i), block.row(row))) continue;
      return same_labels(*labels[i]);
    }
    row = kept;
    if (kept != i) {
      block.labels[kept] = labels[i];
      block.names[kept] = block.names[i];
      std::ranges::copy(block.row(i), block.row(kept).begin());
    }
    ++kept;
  }
  block.labels.resize(kept);
  block.names.resize(kept);
  block.values.resize(kept * block.steps);
  return {};
}

}  // namespace vigil::promql
