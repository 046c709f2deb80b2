#include "agent/sampling/sheet.h"

#include <algorithm>

namespace vigil::agent {

void Sheet::begin() {
  std::fill(values_.begin(), values_.end(), kAbsent);
  cursor_ = 0;
  made_room_ = false;
  refused_ = 0;
}

bool Sheet::is(const Column& column, const Family& family,
               std::initializer_list<std::string_view> label_values) const {
  return column.family == &family && std::equal(column.label_values.begin(), column.label_values.end(),
                                                label_values.begin(), label_values.end());
}

void Sheet::put(const Family& family, std::initializer_list<std::string_view> label_values,
                std::int64_t raw) {
  if (cursor_ < columns_.size() && is(columns_[cursor_], family, label_values)) {
    values_[cursor_++] = raw;
    return;
  }
  put_out_of_order(family, label_values, raw);
}

void Sheet::make_key(const Family& family, std::span<const std::string_view> label_values) {
  key_.assign(family.name);
  for (const std::string_view value : label_values) {
    key_ += '\xFF';  // never part of UTF-8
    key_ += value;
  }
}

void Sheet::put_out_of_order(const Family& family, std::initializer_list<std::string_view> label_values,
                             std::int64_t raw) {
  make_key(family, {label_values.begin(), label_values.size()});
  const auto found = index_.find(key_);
  if (found != index_.end()) {
    values_[found->second] = raw;
    cursor_ = found->second + 1;
    return;
  }
  if (columns_.size() >= max_series_) make_room();
  if (columns_.size() >= max_series_) {
    ++refused_;
    return;
  }
  index_.emplace(key_, columns_.size());
  columns_.push_back({&family, {label_values.begin(), label_values.end()}});
  values_.push_back(raw);
  cursor_ = columns_.size();
  ++version_;
}

void Sheet::make_room() {
  if (made_room_) return;  // once a tick: it looks at every column
  made_room_ = true;
  std::string key = key_;  // of the column to come; forgetting writes others
  forget(kForgetAfterTicksWhenFull);
  key_ = std::move(key);
}

void Sheet::forget(int most) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const int ticks = std::min(most, columns_[i].family->forget_after_ticks);
    if (values_[i] == kAbsent && columns_[i].absent_ticks >= ticks) continue;
    if (kept != i) columns_[kept] = std::move(columns_[i]);
    values_[kept++] = values_[i];
  }
  if (kept == columns_.size()) return;
  columns_.resize(kept);
  values_.resize(kept);
  reindex();
  ++version_;
}

void Sheet::end() {
  bool forgotten = false;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    columns_[i].absent_ticks = values_[i] == kAbsent ? columns_[i].absent_ticks + 1 : 0;
    forgotten |= columns_[i].absent_ticks >= columns_[i].family->forget_after_ticks;
  }
  if (forgotten) forget(kForgetAfterTicks);
}

void Sheet::reindex() {
  index_.clear();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::vector<std::string_view> label_values(columns_[i].label_values.begin(),
                                                     columns_[i].label_values.end());
    make_key(*columns_[i].family, label_values);
    index_.emplace(key_, i);
  }
}

SeriesSpec Sheet::spec(std::size_t column) const {
  const Column& from = columns_[column];
  std::vector<Label> labels;
  for (std::size_t i = 0; i < from.label_values.size() && i < kMaxFamilyLabels; ++i) {
    labels.push_back({std::string(from.family->labels[i]), from.label_values[i]});
  }
  return {std::string(from.family->name), Labels(std::move(labels)), from.family->type, from.family->encoding,
          from.family->scale};
}

}  // namespace vigil::agent
