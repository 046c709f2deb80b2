#include "cli/bench/replay.h"

#include "common/wire/names.h"
#include "common/wire/schema.h"
#include "vigil/v1/ingest.pb.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>

namespace vigil::cli {
namespace {

using google::protobuf::internal::WireFormatLite;

constexpr std::uint32_t kSource = 1;
constexpr std::size_t kShift = 37;  // rows between copies of a column: no divisor of round numbers

void put_varint(std::uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}
void put_signed(std::int64_t value, std::string& out) {
  put_varint(WireFormatLite::ZigZagEncode64(value), out);
}
void put_field(int field, std::uint64_t value, std::string& out) {
  put_varint(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT), out);
  put_varint(value, out);
}
void put_bytes(int field, std::string_view bytes, std::string& out) {
  put_varint(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED), out);
  put_varint(bytes.size(), out);
  out += bytes;
}

std::int64_t difference(std::int64_t a, std::int64_t b) {  // modulo 2^64, as the protocol has it
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

/// Of the trace's columns those without absent cells.
std::vector<std::size_t> whole_columns(const Trace& trace) {
  std::vector<std::size_t> whole;
  for (std::size_t column = 0; column < trace.series.size(); ++column) {
    const bool all = std::none_of(trace.rows.begin(), trace.rows.end(),
                                  [&](const auto& row) { return row[column] == kAbsent; });
    if (all) whole.push_back(column);
  }
  return whole;
}

std::vector<std::int64_t> column_of(const Trace& trace, std::size_t column) {
  std::vector<std::int64_t> values;
  values.reserve(trace.rows.size());
  for (const auto& row : trace.rows) values.push_back(row[column]);
  return values;
}

SeriesSpec spec_of(const SeriesSpec& from, std::size_t number) {
  SeriesSpec spec = from;
  spec.name = wire::clean_name("bench_" + from.name);
  spec.labels.set("series", std::to_string(number));
  return spec;
}

}  // namespace

Result<Replay> Replay::create(const Trace& trace, std::size_t series) {
  const std::vector<std::size_t> whole = whole_columns(trace);
  if (whole.empty() || trace.rows.empty() || series == 0 || series > wire::kMaxSeriesPerSource) {
    return fail(Errc::invalid_argument,
                "{} columns without absent cells and {} series: there must be 1 to {}", whole.size(), series,
                wire::kMaxSeriesPerSource);
  }
  Replay replay;
  replay.trace_ = trace.name;
  replay.left_out_ = trace.series.size() - whole.size();
  for (std::size_t i = 0; i < series; ++i) {
    const std::size_t from = series <= whole.size() ? i * whole.size() / series : i % whole.size();
    const std::size_t column = whole[from];
    Column made{column_of(trace, column), 0};
    if (std::is_sorted(made.values.begin(), made.values.end()))
      made.gain = difference(made.values.back(), made.values.front());
    const std::size_t shift = i / whole.size() * kShift % made.values.size();
    std::rotate(made.values.begin(), made.values.begin() + static_cast<std::ptrdiff_t>(shift),
                made.values.end());
    for (std::size_t row = made.values.size() - shift; row < made.values.size(); ++row)
      made.values[row] += made.gain;  // what was rotated to the end comes after it
    replay.columns_.push_back(std::move(made));
    replay.series_.push_back(spec_of(trace.series[column], i));
  }
  replay.encode();
  return replay;
}

void Replay::encode() {
  const std::size_t rows = columns_.front().values.size();
  deltas_.resize(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::uint64_t at = row + rows;  // so that there is one before
    for (std::size_t column = 0; column < columns_.size(); ++column)
      put_signed(difference(value(at, column), value(at - 1, column)), deltas_[row]);
    row_bytes_ += deltas_[row].size();
  }
  row_bytes_ /= std::max<std::size_t>(rows, 1);
}

std::int64_t Replay::value(std::uint64_t row, std::size_t column) const {
  const Column& from = columns_[column];
  const std::uint64_t laps = row / from.values.size();
  return from.values[row % from.values.size()] + from.gain * static_cast<std::int64_t>(laps);
}

std::string Replay::schema(std::uint32_t interval_ms) const {
  v1::AgentMessage message;
  wire::to_wire({kSource, 1, "bench", interval_ms, series_}, *message.mutable_schema());
  return message.SerializeAsString();
}

std::string Replay::batch(const BatchShape& shape) const {
  std::string deltas;
  for (std::uint64_t row = shape.first_row; row < shape.first_row + shape.rows; ++row) {
    if (row != shape.first_row || !shape.keyframe) {
      deltas += deltas_[row % deltas_.size()];
      continue;
    }
    for (std::size_t column = 0; column < columns_.size(); ++column) put_signed(value(row, column), deltas);
  }
  std::string steps;
  for (std::uint32_t i = 1; i < shape.rows; ++i) put_varint(shape.step_ms, steps);
  std::string rows;
  put_field(v1::Rows::kSourceIdFieldNumber, kSource, rows);
  put_field(v1::Rows::kSchemaVersionFieldNumber, 1, rows);
  put_field(v1::Rows::kFirstTimeMsFieldNumber, WireFormatLite::ZigZagEncode64(shape.first_time_ms), rows);
  if (!steps.empty()) put_bytes(v1::Rows::kStepMsFieldNumber, steps, rows);
  put_bytes(v1::Rows::kDeltasFieldNumber, deltas, rows);
  std::string batch;
  put_field(v1::Batch::kSeqFieldNumber, shape.seq, batch);
  if (shape.keyframe) put_field(v1::Batch::kKeyframeFieldNumber, 1, batch);
  put_bytes(v1::Batch::kSourcesFieldNumber, rows, batch);
  std::string message;
  put_bytes(v1::AgentMessage::kBatchFieldNumber, batch, message);
  return message;
}

}  // namespace vigil::cli
