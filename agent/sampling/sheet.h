// The columns of one collector and this tick's values in them. A collector says what it sees, in whatever
// order /proc gives it; the sheet finds the column. Since kernels list things in the same order tick after
// tick, that is one comparison and one store: no hashing and no allocation in the steady state.
#pragma once

#include "common/series.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vigil::agent {

inline constexpr std::size_t kMaxFamilyLabels = 20;  // node_dmi_info has as many

inline constexpr int kForgetAfterTicks = 300;

/// A metric as a collector declares it: a constant that lives for the whole program (sheets keep its
/// address).
struct Family {
  std::string_view name;  // node_exporter's or cAdvisor's where they have the metric
  std::string_view help;  // one sentence with the unit; shown by --once and docs/metrics.md
  SeriesType type = SeriesType::gauge;
  std::uint8_t scale = 0;  // decimal places of the raw integer
  std::array<std::string_view, kMaxFamilyLabels> labels{};
  Encoding encoding = Encoding::decimal;
  /// Ticks a column is kept while it is absent; few where labels never come back (process ids). At least 1,
  /// so that its end is told.
  int forget_after_ticks = kForgetAfterTicks;
};

/// Owned by the runner, one per collector, used by one thread at a time.
class Sheet {
 public:
  /// At most `max_series` columns; further ones are refused and counted.
  explicit Sheet(std::size_t max_series = 2000) : max_series_(max_series) {}

  /// Starts a tick: every column is absent until put.
  void begin();
  /// The value of the series `family{labels}`; label values in the order of `family.labels`, an empty one
  /// means the label is not there.
  void put(const Family& family, std::initializer_list<std::string_view> label_values, std::int64_t raw);
  void put(const Family& family, std::int64_t raw) { put(family, {}, raw); }
  /// Ends a tick: forgets columns absent for as many ticks as their family says.
  void end();

  /// Changes whenever the set or order of columns changes.
  std::uint32_t version() const { return version_; }
  std::span<const std::int64_t> values() const { return values_; }  // kAbsent where there is none
  std::size_t width() const { return values_.size(); }
  SeriesSpec spec(std::size_t column) const;
  const Family& family(std::size_t column) const { return *columns_[column].family; }
  /// Series refused because of max_series in this tick.
  std::uint64_t refused() const { return refused_; }

  /// A full sheet forgets sooner, so that what is gone does not keep out what is new.
  static constexpr int kForgetAfterTicksWhenFull = 3;

 private:
  struct Column {
    const Family* family;
    std::vector<std::string> label_values;
    int absent_ticks = 0;
  };
  bool is(const Column& column, const Family& family,
          std::initializer_list<std::string_view> label_values) const;
  void put_out_of_order(const Family& family, std::initializer_list<std::string_view> label_values,
                        std::int64_t raw);
  void make_key(const Family& family, std::span<const std::string_view> label_values);
  /// Forgets columns absent now and in the last `most` ended ticks, or as many as their family says.
  void forget(int most);
  void make_room();
  void reindex();

  std::size_t max_series_;
  std::vector<Column> columns_;
  std::vector<std::int64_t> values_;
  std::unordered_map<std::string, std::size_t> index_;  // key -> column
  std::string key_;                                     // reused
  std::size_t cursor_ = 0;
  std::uint32_t version_ = 0;
  std::uint64_t refused_ = 0;
  bool made_room_ = false;  // in this tick
};

}  // namespace vigil::agent
