#include "cli/bench/fleet_agent.h"

#include "common/version.h"

#include <algorithm>

namespace vigil::cli {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

std::string_view to_text(v1::Refusal::Code code) {
  switch (code) {
    case v1::Refusal::CODE_VERSION:
      return "version";
    case v1::Refusal::CODE_DUPLICATE:
      return "duplicate";
    case v1::Refusal::CODE_PROTOCOL:
      return "protocol";
    case v1::Refusal::CODE_LIMIT:
      return "limit";
    case v1::Refusal::CODE_RESEND:
      return "resend";
    case v1::Refusal::CODE_FULL:
      return "full";
    default:
      return "unavailable";
  }
}

/// 16 bytes that are this agent's and nobody else's: 8 of the run, 8 of the agent.
std::string identity(const std::string& run, std::uint32_t number, char kind) {
  std::string id(16, kind);
  const std::size_t mixed = std::hash<std::string>()(run);
  for (std::size_t i = 0; i < 8; ++i) id[i] = static_cast<char>(mixed >> (8 * i));
  for (std::size_t i = 0; i < 4; ++i) id[8 + i] = static_cast<char>(number >> (8 * i));
  return id;
}

}  // namespace

FleetAgent::FleetAgent(const FleetPlan& plan, std::size_t number)
    : plan_(plan),
      number_(static_cast<std::uint32_t>(number)),
      first_row_(number * 7919 % plan.replay->rows()) {  // a prime: spread over the trace
  delivery_interval_ = std::max(delivery_interval_, plan.interval);
}

std::string FleetAgent::name() const {
  return fmt::format("vigil-bench-{}-{:05}", plan_.run, number_);
}

bool FleetAgent::delivers_at(std::uint64_t beat) const {
  const auto step = plan_.interval.count();
  const std::int64_t time_ms = plan_.first_time_ms + static_cast<std::int64_t>(beat) * step;
  return beat == 0 ||
         delivery_slot(time_ms, delivery_interval_) != delivery_slot(time_ms - step, delivery_interval_);
}

void FleetAgent::deliver_to(std::uint64_t beat) {
  const std::uint64_t most = std::max<std::uint64_t>(kMaxCellsPerBatch / plan_.replay->series().size(), 1);
  while (next_beat_ <= beat) {
    const std::uint64_t rows = std::min(most, beat - next_beat_ + 1);
    make_batch(next_beat_, static_cast<std::uint32_t>(rows));
    next_beat_ += rows;
  }
}

void FleetAgent::make_batch(std::uint64_t first_beat, std::uint32_t rows) {
  const bool keyframe =
      batches_since_keyframe_ >= kBatchesPerKeyframe || bytes_since_keyframe_ >= kBytesPerKeyframe;
  if (keyframe) batches_since_keyframe_ = bytes_since_keyframe_ = 0;
  kept_.push_back({first_beat, rows, keyframe, {}});
  ++batches_since_keyframe_;
  bytes_since_keyframe_ += rows * plan_.replay->row_bytes();
}

std::optional<std::string> FleetAgent::next(Time now, std::int64_t wall_ms) {
  switch (phase_) {
    case Phase::hello:
      phase_ = Phase::waiting;
      waiting_since_ = now;
      return hello(wall_ms);
    case Phase::waiting:
      return {};
    case Phase::streaming:
      break;
  }
  if (cursor_ < next_seq()) {
    if (schema_sent_) return batch(now);
    schema_sent_ = true;
    return plan_.replay->schema(static_cast<std::uint32_t>(plan_.interval.count()));
  }
  if (!leaving_ || said_bye_) return {};
  said_bye_ = true;
  v1::AgentMessage message;
  message.mutable_bye()->set_reason("stopped");
  return message.SerializeAsString();
}

std::string FleetAgent::hello(std::int64_t wall_ms) {
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_protocol(1);
  hello.set_name(name());
  hello.set_machine_id(identity(plan_.run, number_, 'm'));
  hello.set_stream_id(identity(plan_.run, number_, 's'));
  hello.set_boot_id(plan_.run);
  hello.set_first_kept_seq(kept_.empty() ? 0 : first_kept_seq_);
  hello.set_next_seq(next_seq());
  hello.set_durable_seq(durable_seq_);
  hello.set_wall_time_ms(wall_ms);
  hello.set_agent_version(fmt::format("{} bench", kVersion));
  hello.set_interval_ms(static_cast<std::uint32_t>(plan_.interval.count()));
  return message.SerializeAsString();
}

std::string FleetAgent::batch(Time now) {
  Kept& batch = kept(cursor_);
  if (batch.sent == Time{}) batch.sent = now;
  if (cursor_ > durable_seq_ && !waiting_since_) waiting_since_ = now;
  sent_rows_ = std::max(sent_rows_, batch.first_beat + batch.rows);
  const auto step = plan_.interval.count();
  return plan_.replay->batch({cursor_++, batch.keyframe, first_row_ + batch.first_beat, batch.rows,
                              plan_.first_time_ms + static_cast<std::int64_t>(batch.first_beat) * step,
                              static_cast<std::uint32_t>(step)});
}

std::optional<Goodbye> FleetAgent::received(const v1::AggregatorMessage& message, Time now,
                                            std::vector<microseconds>& waited) {
  if (message.has_refusal()) {
    const v1::Refusal& refusal = message.refusal();
    return Goodbye{fmt::format("{}: {}", to_text(refusal.code()), refusal.message()),
                   milliseconds(std::min(refusal.retry_after_ms(), 3'600'000U))};
  }
  if (message.has_welcome()) {
    if (phase_ != Phase::waiting) return Goodbye{"protocol: Welcome without a Hello before it"};
    phase_ = Phase::streaming;
    waiting_since_.reset();
    take_pace(message.welcome().delivery_interval_ms());
    durable(std::min(message.welcome().durable_seq(), next_seq() - 1), now, waited);
    cursor_ = first_kept_seq_;
  } else if (message.has_ack()) {
    if (phase_ != Phase::streaming) return Goodbye{"protocol: Ack before Welcome"};
    if (message.ack().durable_seq() >= next_seq()) return Goodbye{"protocol: Ack of a batch never made"};
    take_pace(message.ack().delivery_interval_ms());
    const std::uint64_t before = durable_seq_;
    durable(std::min(message.ack().durable_seq(), cursor_ - 1), now, waited);
    if (durable_seq_ > before) backoff_.reset();
    waiting_since_.reset();
    if (durable_seq_ + 1 < cursor_) waiting_since_ = now;
  }
  return {};
}

void FleetAgent::take_pace(std::uint32_t interval_ms) {
  if (interval_ms > 0) delivery_interval_ = milliseconds(interval_ms);
}

void FleetAgent::durable(std::uint64_t seq, Time now, std::vector<microseconds>& waited) {
  while (durable_seq_ < seq) {
    const Kept& batch = kept(++durable_seq_);
    durable_rows_ = batch.first_beat + batch.rows;
    if (batch.sent != Time{}) waited.push_back(std::chrono::duration_cast<microseconds>(now - batch.sent));
  }
  forget();
}

/// What lies before the keyframe at or before the first batch that is not durable.
void FleetAgent::forget() {
  std::uint64_t begin = durable_seq_ + 1;
  if (begin < next_seq()) {
    while (begin > first_kept_seq_ && !kept(begin).keyframe) --begin;
  } else if (batches_since_keyframe_ < kBatchesPerKeyframe && bytes_since_keyframe_ < kBytesPerKeyframe) {
    begin -= std::min<std::uint64_t>(batches_since_keyframe_, begin - first_kept_seq_);
  }
  const auto count = static_cast<std::ptrdiff_t>(begin - first_kept_seq_);
  kept_.erase(kept_.begin(), kept_.begin() + count);
  first_kept_seq_ = begin;
}

bool FleetAgent::idle() const {
  return phase_ == Phase::streaming && !leaving_ && all_durable() &&
         std::max(plan_.interval, delivery_interval_) <= kLongestRest;
}

bool FleetAgent::silent(Time now) const {
  if (!waiting_since_) return false;
  return now - *waiting_since_ >= (phase_ == Phase::streaming ? kAckTimeout : kWelcomeTimeout);
}

milliseconds FleetAgent::lost(const std::optional<Goodbye>& why, double random) {
  phase_ = Phase::hello;
  schema_sent_ = false;
  said_bye_ = false;
  waiting_since_.reset();
  const milliseconds own = backoff_.next(random);
  if (!why || why->retry_after.count() == 0) return own;
  return why->retry_after + milliseconds(static_cast<std::int64_t>(1000 * random));
}

}  // namespace vigil::cli
