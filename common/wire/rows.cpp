#include "common/wire/rows.h"

#include <algorithm>
#include <cassert>

namespace vigil::wire {
namespace {

// Differences of int64 do not fit int64; modulo 2^64 they add up to the exact value again.
std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t wrapping_subtract(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

}  // namespace

void RowEncoder::set_width(std::size_t width) {
  last_.assign(width, 0);
}

void RowEncoder::start_over() {
  std::fill(last_.begin(), last_.end(), 0);
}

void RowEncoder::append(std::int64_t time_ms, std::span<const std::int64_t> values, v1::Rows& rows) {
  assert(values.size() == width());
  auto& deltas = *rows.mutable_deltas();
  if (deltas.empty()) {
    rows.set_first_time_ms(time_ms);
    runs_end_ = 0;
  } else {
    assert(may_follow(time_ms));
    rows.add_step_ms(static_cast<std::uint32_t>(time_ms - last_time_ms_));
  }
  last_time_ms_ = time_ms;
  const int first = deltas.size();
  deltas.Resize(first + static_cast<int>(values.size()), 0);
  std::int64_t* const out = deltas.mutable_data() + first;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == kAbsent) {
      mark_absent(static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(i), rows);
      continue;
    }
    out[i] = wrapping_subtract(values[i], last_[i]);
    last_[i] = values[i];
  }
}

void RowEncoder::mark_absent(std::uint32_t cell, v1::Rows& rows) {
  auto& runs = *rows.mutable_absent_runs();
  if (!runs.empty() && runs_end_ == cell) {
    runs.Set(runs.size() - 1, runs.Get(runs.size() - 1) + 1);
  } else {
    runs.Add(cell - runs_end_);
    runs.Add(1);
  }
  runs_end_ = cell + 1;
}

void RowDecoder::set_width(std::size_t width) {
  last_.assign(width, 0);
}

void RowDecoder::start_over() {
  std::fill(last_.begin(), last_.end(), 0);
}

Result<void> RowDecoder::decode(const v1::Rows& rows, DecodedRows& out) {
  const std::size_t row_count = static_cast<std::size_t>(rows.step_ms_size()) + 1;
  const auto cells = static_cast<std::size_t>(rows.deltas_size());
  if (cells > kMaxCells)
    return fail(Errc::limit, "Rows.deltas has {} cells, at most {} are taken", cells, kMaxCells);
  if (cells == 0 || row_count * width() != cells) {
    return fail(Errc::parse, "Rows.deltas has {} cells, {} rows of {} columns need {}", cells, row_count,
                width(), row_count * width());
  }
  out.values.assign(cells, 0);
  if (auto times = decode_times(rows, out); !times) return times;
  if (auto marked = mark_absent(rows, out); !marked) return marked;
  return add_up(rows, out);
}

Result<void> RowDecoder::decode_times(const v1::Rows& rows, DecodedRows& out) {
  out.times_ms.clear();
  std::int64_t time_ms = rows.first_time_ms();
  if (time_ms < 0 || time_ms > kMaxTimeMs) {
    return fail(Errc::limit, "Rows.first_time_ms is {}, must be 0 to {}", time_ms, kMaxTimeMs);
  }
  out.times_ms.push_back(time_ms);
  for (const std::uint32_t step : rows.step_ms()) {
    if (step == 0) return fail(Errc::parse, "Rows.step_ms has a 0: two rows at {}", time_ms);
    time_ms += step;
    if (time_ms > kMaxTimeMs)
      return fail(Errc::limit, "Rows.step_ms leads to {}, at most {} is taken", time_ms, kMaxTimeMs);
    out.times_ms.push_back(time_ms);
  }
  return {};
}

Result<void> RowDecoder::mark_absent(const v1::Rows& rows, DecodedRows& out) const {
  if (rows.absent_runs_size() % 2 != 0)
    return fail(Errc::parse, "Rows.absent_runs has an odd length: a skip without a count");
  std::size_t at = 0;
  for (int i = 0; i < rows.absent_runs_size(); i += 2) {
    const std::size_t begin = at + rows.absent_runs(i);
    const std::size_t end = begin + rows.absent_runs(i + 1);
    if (end == begin) return fail(Errc::parse, "Rows.absent_runs has a run of no cells");
    if (end > out.values.size()) {
      return fail(Errc::parse, "Rows.absent_runs reaches cell {} of {}", end, out.values.size());
    }
    std::fill(out.values.begin() + static_cast<std::ptrdiff_t>(begin),
              out.values.begin() + static_cast<std::ptrdiff_t>(end), kAbsent);
    at = end;
  }
  return {};
}

Result<void> RowDecoder::add_up(const v1::Rows& rows, DecodedRows& out) {
  const std::int64_t* delta = rows.deltas().data();
  std::int64_t* cell = out.values.data();
  bool bad = false;  // checked once at the end: no branch per cell
  for (std::size_t row = 0; row < out.times_ms.size(); ++row) {
    for (std::int64_t& last : last_) {
      const bool absent = *cell == kAbsent;
      last = wrapping_add(last, *delta);
      bad |= absent ? *delta != 0 : last == kAbsent;
      *cell = absent ? kAbsent : last;
      ++delta;
      ++cell;
    }
  }
  if (bad)
    return fail(Errc::parse, "Rows.deltas has an absent cell that is not 0, or a sum that stands for absent");
  return {};
}

}  // namespace vigil::wire
