#include "tests/agent/delivery/model.h"

#include "common/wire/schema.h"

#include <algorithm>

namespace vigil::agent::test {

Host::Host(std::size_t width) {
  for (std::uint32_t id = 1; id <= 2; ++id) {
    wire::SourceSchema schema{id, 1, "node", 1000 * id, {}};
    for (std::size_t i = 0; i < width; ++i) {
      schema.series.push_back(
          {"test_value", {{"column", std::to_string(i)}}, SeriesType::gauge, Encoding::decimal, 0});
    }
    schemas_.push_back(std::move(schema));
  }
}

std::int64_t Host::value(std::uint32_t source_id, std::size_t column, std::int64_t time_ms) {
  if ((time_ms / 1000 + static_cast<std::int64_t>(column)) % 11 == 0) return kAbsent;
  return time_ms * static_cast<std::int64_t>(column + 1) + source_id;
}

void Host::tick(FrameSink& sink) {
  time_ms_ += 1000;
  for (const wire::SourceSchema& schema : schemas_) {
    if (time_ms_ % schema.interval_ms != 0) continue;
    values_.clear();
    for (std::size_t i = 0; i < schema.series.size(); ++i)
      values_.push_back(value(schema.source_id, i, time_ms_));
    sink.take({schema, time_ms_, values_, {}});
  }
}

void Host::add_column() {
  wire::SourceSchema& schema = schemas_.front();
  ++schema.version;
  schema.series.push_back({"test_value", {{"column", std::to_string(schema.series.size())}}});
}

std::vector<std::int64_t> all_times(const Streams& streams, std::uint32_t source_id) {
  std::vector<std::int64_t> times;
  for (const auto& [id, stored] : streams) {
    const auto at = stored.times_ms.find(source_id);
    if (at != stored.times_ms.end()) times.insert(times.end(), at->second.begin(), at->second.end());
  }
  std::sort(times.begin(), times.end());
  return times;
}

std::vector<v1::Gap> all_gaps(const Streams& streams) {
  std::vector<v1::Gap> gaps;
  for (const auto& [id, stored] : streams) gaps.insert(gaps.end(), stored.gaps.begin(), stored.gaps.end());
  return gaps;
}

Result<std::vector<v1::AggregatorMessage>> Receiver::take(const std::string& bytes) {
  v1::AgentMessage message;
  if (!message.ParseFromString(bytes)) return fail(Errc::parse, "no message");
  if (!message.has_hello() && !greeted_) return fail(Errc::parse, "no Hello first");
  if (greeted_ && hello_.ended()) {
    if (taken_ >= credit) return fail(Errc::limit, "{} bytes of credit are used up", credit);
    taken_ += bytes.size();
  }
  std::vector<v1::AggregatorMessage> answers;
  switch (message.kind_case()) {
    case v1::AgentMessage::kHello:
      hello_ = message.hello();
      greeted_ = true;
      answers.push_back(welcome(stored_.durable_seq));
      if (hello_.ended()) answers.back().mutable_welcome()->set_backfill_credit(credit);
      break;
    case v1::AgentMessage::kSchema:
      if (auto taken = take_schema(message.schema()); !taken) return taken.error();
      break;
    case v1::AgentMessage::kBatch:
      if (auto taken = take_batch(message.batch()); !taken) return taken.error();
      answers.push_back(ack(stored_.durable_seq));
      break;
    case v1::AgentMessage::kGap:
      if (message.gap().first_seq() == 0) {
        if (message.gap().batches() == 0) return fail(Errc::parse, "a gap of nothing");
        stored_.gaps.push_back(message.gap());
        break;
      }
      if (message.gap().first_seq() != stored_.durable_seq + 1)
        return fail(Errc::parse, "a gap that does not follow");
      stored_.durable_seq = message.gap().last_seq();
      stored_.gaps.push_back(message.gap());
      expected_ = 0;
      break;
    case v1::AgentMessage::kBye:
      stored_.left = true;
      break;
    default:
      return fail(Errc::parse, "an empty message");
  }
  return answers;
}

Result<void> Receiver::take_schema(const v1::Schema& schema) {
  auto read = wire::from_wire(schema);
  if (!read) return read.error();
  SourceState& source = sources_[read->source_id];
  source.decoder.set_width(read->series.size());
  source.schema = std::move(*read);
  return {};
}

Result<void> Receiver::take_batch(const v1::Batch& batch) {
  if (expected_ == 0 && !batch.keyframe())
    return fail(Errc::parse, "batch {} should be a keyframe", batch.seq());
  if (expected_ != 0 && batch.seq() != expected_)
    return fail(Errc::parse, "batch {}, expected {}", batch.seq(), expected_);
  if (batch.seq() > stored_.durable_seq + 1)
    return fail(Errc::parse, "batch {} is missing", stored_.durable_seq + 1);
  if (batch.keyframe()) {
    for (auto& [id, source] : sources_) source.decoder.start_over();
  }
  for (const v1::Rows& rows : batch.sources()) {
    if (auto taken = take_rows(rows, batch.seq() > stored_.durable_seq); !taken) return taken;
  }
  expected_ = batch.seq() + 1;
  stored_.durable_seq = std::max(stored_.durable_seq, batch.seq());
  return {};
}

Result<void> Receiver::take_rows(const v1::Rows& rows, bool store) {
  const auto source = sources_.find(rows.source_id());
  if (source == sources_.end() || source->second.schema.version != rows.schema_version()) {
    return fail(Errc::parse, "rows of source {} version {} without their schema", rows.source_id(),
                rows.schema_version());
  }
  if (auto read = source->second.decoder.decode(rows, decoded_); !read) return read;
  const std::size_t width = source->second.decoder.width();
  for (std::size_t row = 0; row < decoded_.times_ms.size(); ++row) {
    const std::int64_t time_ms = decoded_.times_ms[row];
    for (std::size_t i = 0; i < width; ++i) {
      if (decoded_.values[row * width + i] != Host::value(rows.source_id(), i, time_ms)) {
        return fail(Errc::corrupt, "source {} column {} at {} is wrong", rows.source_id(), i, time_ms);
      }
    }
    if (store) stored_.times_ms[rows.source_id()].push_back(time_ms);
  }
  return {};
}

v1::AggregatorMessage welcome(std::uint64_t durable_seq) {
  v1::AggregatorMessage message;
  message.mutable_welcome()->set_durable_seq(durable_seq);
  message.mutable_welcome()->set_wall_time_ms(1'700'000'000'000);
  return message;
}

v1::AggregatorMessage ack(std::uint64_t durable_seq) {
  v1::AggregatorMessage message;
  message.mutable_ack()->set_durable_seq(durable_seq);
  return message;
}

}  // namespace vigil::agent::test
