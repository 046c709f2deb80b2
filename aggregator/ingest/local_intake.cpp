#include "aggregator/ingest/local_intake.h"

#include "aggregator/store/history.h"
#include "common/log/log.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <ranges>
#include <tuple>
#include <utility>

namespace vigil::aggregator {
namespace {

constexpr std::uint8_t kScales[] = {0, 3, 6};
constexpr std::uint32_t kBeatMs = 1000;
constexpr double kMostExact = 9'007'199'254'740'992.0;  // 2^53

double power_of_ten(std::uint8_t scale) {
  constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
  return kPowers[std::min<std::size_t>(scale, kMaxScale)];
}

void note(LocalWritten& written, std::string_view what, const Labels& labels) {
  if (written.problem.empty()) written.problem = fmt::format("{}: {}", what, labels.to_string());
}

SeriesSpec spec_of(const LocalSeries& series, const SeriesForm& form) {
  SeriesSpec spec{std::string(series.labels.get(kMetricName)), series.labels, form.type, form.encoding,
                  form.scale};
  spec.labels.erase(kMetricName);
  return spec;
}

HostHead::SourceExtent extent_of(const Host& host, std::uint16_t number) {
  return host.head.extent(source_number(kLiveLane, number));
}

}  // namespace

std::optional<std::int64_t> raw_of(double value, const SeriesForm& form) {
  if (std::isnan(value) && !is_stale(value))
    value = std::numeric_limits<double>::quiet_NaN();  // one is kAbsent
  if (is_float(form.encoding)) return raw_from_double(value);
  if (is_stale(value)) return kEnded;
  const double power = power_of_ten(form.scale);
  const double scaled = value * power;
  if (!(std::abs(scaled) < kMostExact)) return std::nullopt;
  const double rounded = std::nearbyint(scaled);
  const bool negative_zero = rounded == 0 && std::signbit(value);
  if (rounded / power != value || negative_zero) return std::nullopt;
  return static_cast<std::int64_t>(rounded);
}

SeriesForm form_for(double value, const SeriesForm& least) {
  for (const std::uint8_t scale : kScales) {
    const SeriesForm form{least.type, Encoding::sparse_decimal, scale};
    if (!is_float(least.encoding) && scale >= least.scale && raw_of(value, form)) return form;
  }
  return {least.type, Encoding::sparse_float64, 0};
}

Result<Host*> LocalIntake::host_of(const std::string& name, std::int64_t now_ms) {
  if (Host* known = shard_.find(name)) return known;
  HostRecord record;
  record.name = name;
  record.interval_ms = kBeatMs;
  return shard_.enroll(std::move(record), now_ms);
}

/// A host of which nothing can be stored is not begun: senders could fill the fleet with empty ones.
std::optional<LocalWritten> LocalIntake::refuse_unknown(const LocalWrite& write, std::int64_t now_ms) const {
  LocalWritten written;
  const Labels& labels = write.series.empty() ? Labels() : write.series.front().labels;
  const std::int64_t oldest_ms = now_ms - shard_.options().retention_ms;
  const std::int64_t newest_ms = now_ms + shard_.options().future_ms;
  for (const promql::Point& sample : write.samples) {
    if (sample.t_ms < oldest_ms) {
      ++written.too_old;
    } else if (sample.t_ms > newest_ms) {
      ++written.too_new;
    } else if (is_stale(sample.v)) {
      ++written.repeated;  // the end of what nobody knew
    } else if (write.quota && !write.quota->has_room(now_ms)) {
      ++written.over_limit;
    } else {
      return std::nullopt;
    }
  }
  if (written.too_old > 0) note(written, "older than what is kept", labels);
  if (written.too_new > 0) note(written, "too far in the future", labels);
  if (written.over_limit > 0) note(written, "its sender brings too many new series", labels);
  return written;
}

bool LocalIntake::in_time(Work& work, const LocalSeries& series, std::int64_t time_ms) const {
  if (time_ms < work.now_ms - shard_.options().retention_ms) {
    ++work.written.too_old;
    note(work.written, "older than what is kept", series.labels);
    return false;
  }
  if (time_ms > work.now_ms + shard_.options().future_ms) {
    ++work.written.too_new;
    note(work.written, "too far in the future", series.labels);
    return false;
  }
  return true;
}

bool LocalIntake::has_room(const Work& work, std::uint16_t source) {
  const auto grown = work.grown.find(source);
  return extent_of(work.host, source).columns + (grown == work.grown.end() ? 0 : grown->second) < kMaxColumns;
}

/// Where there is a row of the time of its first sample, and room: what begins together is sampled together.
std::uint16_t LocalIntake::source_for(const Work& work, std::int64_t time_ms) {
  const Host& host = work.host;
  for (std::uint16_t number = host.pushed_sources; number > 0; --number)
    if (extent_of(host, number).last_ms == time_ms && has_room(work, number)) return number;
  if (host.pushed_sources < kMostLooseSources) return static_cast<std::uint16_t>(host.pushed_sources + 1);
  std::uint16_t least = 1;
  for (std::uint16_t number = 2; number <= host.pushed_sources; ++number)
    if (extent_of(host, number).columns < extent_of(host, least).columns) least = number;
  const bool full = !has_room(work, least) && host.pushed_sources < 0xFFFF;
  return full ? static_cast<std::uint16_t>(host.pushed_sources + 1) : least;
}

std::optional<SeriesId> LocalIntake::series_for(Work& work, const LocalSeries& series,
                                                const promql::Point& first) {
  if (const auto known = work.host.head.registry().newest(series.labels)) return known;
  if (work.write.quota && !work.write.quota->take(work.now_ms)) {
    note(work.written, "its sender brings too many new series", series.labels);
    return std::nullopt;
  }
  const SeriesForm form = form_for(first.v, {series.type, Encoding::sparse_decimal, 0});
  std::uint16_t& source = work.sources_at[first.t_ms];
  if (source == 0 || !has_room(work, source)) source = source_for(work, first.t_ms);
  auto id = shard_.push_series(work.host, source, spec_of(series, form), work.records);
  if (id) ++work.grown[source];
  if (id) return *id;
  note(work.written, id.error().message, series.labels);
  return std::nullopt;
}

/// The same series, with more digits.
std::optional<SeriesId> LocalIntake::other_form(Work& work, const LocalSeries& series, SeriesId id,
                                                double value) {
  const SeriesForm form = form_for(value, work.host.head.registry().at(id)->form);
  auto other =
      shard_.push_series(work.host, work.host.pushed[id].source, spec_of(series, form), work.records);
  if (!other) {
    note(work.written, other.error().message, series.labels);
    return std::nullopt;
  }
  work.host.pushed[*other].newest_ms = work.host.pushed[id].newest_ms;
  return *other;
}

void LocalIntake::place(Work& work, const LocalSeries& series, Samples samples) {
  std::optional<SeriesId> id;
  Host& host = work.host;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const promql::Point& sample = samples[i];
    if (!in_time(work, series, sample.t_ms)) continue;
    if (!id && is_stale(sample.v) && !host.head.registry().newest(series.labels)) {
      ++work.written.repeated;  // the end of what nobody knew
      continue;
    }
    if (!id) id = series_for(work, series, sample);
    if (id && host.pushed[*id].newest_ms - work.write.out_of_order_ms > sample.t_ms) {
      ++work.written.too_old;
      note(work.written, "out of order", series.labels);
      continue;
    }
    std::optional<std::int64_t> raw;
    if (id) raw = raw_of(sample.v, host.head.registry().at(*id)->form);
    if (id && !raw) {
      if (const auto other = other_form(work, series, *id, sample.v)) {
        id = other;
        raw = raw_of(sample.v, host.head.registry().at(*id)->form);
      }
    }
    if (!raw) {
      ++work.written.over_limit;
      continue;
    }
    PushedSeries& pushed = host.pushed[*id];
    if (sample.t_ms > pushed.newest_ms) {
      work.newest_before.emplace_back(*id, pushed.newest_ms);
      pushed.newest_ms = sample.t_ms;
    }
    placed_.push_back({pushed.source, sample.t_ms, {*id, *raw}});
  }
}

// Series that are known first: new ones go where samples of the same time go.
void LocalIntake::place_all(Work& work) {
  const LocalWrite& write = work.write;
  std::vector<std::pair<const LocalSeries*, Samples>> unknown;
  std::size_t next = 0;
  for (const LocalSeries& series : write.series) {
    const std::size_t count = std::min<std::size_t>(series.samples, write.samples.size() - next);
    const Samples samples = std::span(write.samples).subspan(next, count);
    next += count;
    if (work.host.head.registry().newest(series.labels))
      place(work, series, samples);
    else
      unknown.emplace_back(&series, samples);
  }
  if (unknown.empty()) return;
  for (const Placed& each : placed_) work.sources_at.try_emplace(each.time_ms, each.source);
  for (const auto& [series, samples] : unknown) place(work, *series, samples);
}

std::vector<LocalRow> LocalIntake::rows() {
  const auto key = [](const Placed& each) { return std::tuple(each.source, each.time_ms, each.cell.series); };
  const auto before = [&](const Placed& a, const Placed& b) { return key(a) < key(b); };
  if (!std::ranges::is_sorted(placed_, before)) std::ranges::stable_sort(placed_, before);
  cells_.clear();
  cells_.reserve(placed_.size());  // rows point into it
  std::vector<LocalRow> rows;
  for (const Placed& each : placed_) {
    cells_.push_back(each.cell);
    const bool same =
        !rows.empty() && rows.back().source == each.source && rows.back().time_ms == each.time_ms;
    if (!same) rows.push_back({each.source, each.time_ms, {}});
    const std::size_t cells = rows.back().cells.size() + 1;
    rows.back().cells = {cells_.data() + cells_.size() - cells, cells};
  }
  return rows;
}

void LocalIntake::put(Work& work, std::span<const LocalRow> rows) {
  std::int64_t newest_ms = 0;
  for (const LocalRow& row : rows) {
    const auto counts = work.host.head.put(source_number(kLiveLane, row.source), row.time_ms, row.cells);
    work.written.stored += counts.stored;
    work.written.repeated += counts.repeated;
    work.written.conflicting += counts.conflicting;
    if (counts.conflict)
      note(work.written, "another value is stored for this time",
           *work.host.head.registry().at(*counts.conflict)->labels);
    newest_ms = std::max(newest_ms, row.time_ms);
  }
  if (counters_ != nullptr) {
    counters_->rows.add(rows.size());
    counters_->samples.add(work.written.stored);
  }
  shard_.samples_pushed(work.host, newest_ms, work.now_ms);
}

/// Nothing of the write is stored: sent again, it must not look old.
void LocalIntake::take_back(Work& work) {
  for (auto before = work.newest_before.rbegin(); before != work.newest_before.rend(); ++before)
    work.host.pushed[before->first].newest_ms = before->second;
}

// The journal comes before the head, as with agents' batches.
Result<void> LocalIntake::store(Work& work, LocalDone& done) {
  History* history = shard_.history();
  const HostId host = work.host.record.id;
  if (history != nullptr && !work.records.empty()) {
    if (auto stored = history->put_series(host, std::move(work.records)); !stored) {
      take_back(work);
      return stored;
    }
  }
  const std::vector<LocalRow> rows = this->rows();
  if (history == nullptr || rows.empty()) {
    if (!rows.empty()) put(work, rows);
    done(work.written);
    return {};
  }
  StreamProgress& progress = work.host.use(pending_.stream());
  const std::uint64_t seq = progress.stored_seq + 1;
  pending_.add(host, seq, std::move(done), work.now_ms);
  if (!history->journal({host, pending_.stream(), seq, EntryKind::samples, 0, encode_rows(rows)})) {
    take_back(work);
    pending_.fail(host, seq,
                  {Errc::unavailable, "the disk does not keep up: too much waits for the journal"});
    return {};
  }
  progress.stored_seq = seq;
  progress.keyframe_seq = seq + 1;  // nothing builds on what is sealed
  put(work, rows);
  pending_.settle(host, seq, std::move(work.written));
  return {};
}

void LocalIntake::write(const LocalWrite& write, LocalDone done, std::int64_t now_ms) {
  const auto refuse = [&](const Error& error) {
    LocalWritten written;
    written.failed = error;
    done(written);
  };
  if (shard_.find(write.host) == nullptr) {
    if (auto refused = refuse_unknown(write, now_ms)) return done(*refused);
  }
  const auto host = host_of(write.host, now_ms);
  if (!host) return refuse(host.error());
  Work work{write, **host, now_ms, {}, {}, {}, {}, {}};
  placed_.clear();
  place_all(work);
  if (auto stored = store(work, done); !stored) {
    log::error("ingest", "cannot store what was pushed", {{"host", write.host}, {"error", stored.error()}});
    refuse(stored.error());
  }
}

}  // namespace vigil::aggregator
