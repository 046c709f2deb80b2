#include "agent/delivery/session.h"

#include <algorithm>
#include <utility>

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;

End end_of(const v1::Refusal& refusal) {
  using Kind = End::Kind;
  End end{Kind::away, fail(Errc::unavailable, "the aggregator refused: {}", refusal.message()), {}};
  if (refusal.retry_after_ms() > 0)
    end.retry_after = milliseconds(std::min(refusal.retry_after_ms(), 3'600'000U));
  switch (refusal.code()) {
    case v1::Refusal::CODE_RESEND:
      end.kind = Kind::resend;
      break;
    case v1::Refusal::CODE_DUPLICATE:
      end.kind = Kind::duplicate;
      end.error.code = Errc::conflict;
      break;
    case v1::Refusal::CODE_VERSION:
      end.kind = Kind::version;
      end.error.code = Errc::unsupported;
      break;
    case v1::Refusal::CODE_PROTOCOL:
    case v1::Refusal::CODE_LIMIT:
      end.kind = Kind::rejected;
      end.error.code = Errc::limit;
      break;
    default:
      break;
  }
  return end;
}

End broken(std::string message) {
  return {End::Kind::away, {Errc::parse, std::move(message)}, {}};
}

std::string gap_message(const LostBatches& lost) {
  v1::AgentMessage message;
  v1::Gap& gap = *message.mutable_gap();
  gap.set_first_seq(lost.first_seq);
  gap.set_last_seq(lost.last_seq);
  gap.set_first_time_ms(lost.first_time_ms);
  // The clock may have been set back in between; 0 is not known.
  gap.set_last_time_ms(lost.last_time_ms == 0 ? 0 : std::max(lost.last_time_ms, lost.first_time_ms));
  gap.set_reason(lost.reason);
  gap.set_batches(lost.batches);
  return message.SerializeAsString();
}

}  // namespace

const std::string* Session::next(Time now, std::int64_t wall_ms) {
  switch (phase_) {
    case Phase::hello:
      say_hello(wall_ms);
      return &current_;
    case Phase::waiting:
      return nullptr;
    case Phase::streaming:
      break;
  }
  if (!answers_.empty() && !bye_sent_) {
    current_ = std::move(answers_.front());
    answers_.pop_front();
    return &current_;
  }
  if (leaving_ != Leaving::ended) return next_unpaid(now);
  if (spent_ >= credit_) return nullptr;
  const std::string* message = next_unpaid(now);
  if (message != nullptr) spent_ += message->size();
  return message;
}

void Session::say_hello(std::int64_t wall_ms) {
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_protocol(1);
  hello.set_name(identity_.name);
  hello.set_machine_id(identity_.machine_id);
  hello.set_stream_id(identity_.stream_id);
  hello.set_boot_id(identity_.boot_id);
  hello.set_first_kept_seq(buffer_.first_kept_seq());
  hello.set_next_seq(buffer_.next_seq());
  hello.set_durable_seq(buffer_.durable_seq());
  hello.set_ended(leaving_ == Leaving::ended);
  hello.set_follows(identity_.follows);
  hello.set_wall_time_ms(wall_ms);
  hello.set_agent_version(identity_.agent_version);
  hello.set_interval_ms(static_cast<std::uint32_t>(identity_.interval.count()));
  for (const auto& [name, value] : identity_.labels) {
    v1::LabelPair& label = *hello.add_labels();
    label.set_name(name);
    label.set_value(value);
  }
  current_ = message.SerializeAsString();
  hello_wall_ms_ = wall_ms;
  phase_ = Phase::waiting;
}

const std::string* Session::next_unpaid(Time now) {
  if (!buffer_.ready(cursor_)) return nullptr;
  if (std::exchange(resuming_, false)) begin_at_cursor();
  if (prelude_.empty() && cursor_ < buffer_.next_seq()) {
    const EncodedBatch* batch = buffer_.find(cursor_);
    if (batch == nullptr) {
      // Dropped before it was sent, or sent again: what is durable is not lost.
      resume_at(buffer_.next_kept_seq(cursor_), std::max(cursor_ - 1, durable_));
      return next_unpaid(now);
    }
    if (schemas_sent_for_ != cursor_) {
      schemas_sent_for_ = cursor_;
      for (const EncodedSchema& schema : batch->schemas) prelude_.push_back(schema.message);
    }
    if (prelude_.empty()) {
      if (cursor_ > buffer_.durable_seq() && !waiting_since_) waiting_since_ = now;
      ++cursor_;
      return &batch->message;
    }
  }
  if (!prelude_.empty()) {
    current_ = std::move(prelude_.front());
    prelude_.pop_front();
    return &current_;
  }
  if (leaving_ == Leaving::no || bye_sent_) return nullptr;
  bye_sent_ = true;
  v1::AgentMessage message;
  message.mutable_bye()->set_reason(leaving_ == Leaving::stops ? "stopped" : "delivered");
  current_ = message.SerializeAsString();
  return &current_;
}

/// The next batch is `seq`; the aggregator has what came before up to `durable_seq`, the rest is lost.
void Session::resume_at(std::uint64_t seq, std::uint64_t durable_seq) {
  cursor_ = seq;
  had_ = durable_seq;
  resuming_ = true;
}

void Session::begin_at_cursor() {
  for (const LostBatches& lost : buffer_.lost_between(had_, cursor_)) prelude_.push_back(gap_message(lost));
  for (const EncodedSchema* schema : buffer_.schemas_before(cursor_)) prelude_.push_back(schema->message);
}

std::uint64_t Session::declare(const LostBatches& lost) {
  prelude_.push_back(gap_message(lost));
  return std::max<std::uint64_t>(cursor_, 1);
}

bool Session::caught_up() const {
  return phase_ == Phase::streaming && !resuming_ && prelude_.empty() && cursor_ >= buffer_.next_seq() &&
         buffer_.next_seq() - 1 - buffer_.durable_seq() <= kMostUnderWay;
}

std::optional<End> Session::received(const v1::AggregatorMessage& message, Time now) {
  switch (message.kind_case()) {
    case v1::AggregatorMessage::kRefusal:
      return end_of(message.refusal());
    case v1::AggregatorMessage::kWelcome:
      return welcomed_by(message.welcome(), now);
    case v1::AggregatorMessage::kAck:
      return acknowledged_by(message.ack(), now);
    case v1::AggregatorMessage::kAction:
      if (requests_.size() < kMostRequests) requests_.push_back(message.action());
      break;
    case v1::AggregatorMessage::KIND_NOT_SET:
      break;  // something newer: not for us
  }
  return {};
}

std::optional<End> Session::welcomed_by(const v1::Welcome& welcome, Time) {
  if (phase_ != Phase::waiting) return broken("Welcome without a Hello before it");
  phase_ = Phase::streaming;
  const std::uint64_t durable = believed(welcome.durable_seq());
  buffer_.acknowledge(durable);
  durable_ = durable;
  resume_at(buffer_.resume_seq(durable), durable);
  if (welcome.delivery_interval_ms() > 0) delivery_interval_ = milliseconds(welcome.delivery_interval_ms());
  if (welcome.max_message_bytes() > 0) {  // ours is the protocol's own limit: more is never sent
    max_message_bytes_ = std::min<std::size_t>(welcome.max_message_bytes(), wire::kMaxMessageBytes);
  }
  if (welcome.max_series() > 0) max_series_ = welcome.max_series();
  credit_ = welcome.backfill_credit();
  clock_offset_ = milliseconds(welcome.wall_time_ms() - hello_wall_ms_);
  return {};
}

/// A number we never gave away can only be a mix-up: what we hold is sent all the same. Not so of an earlier
/// run, which sent batches that a power cut then took from the disk.
std::uint64_t Session::believed(std::uint64_t durable_seq) const {
  const std::uint64_t last = buffer_.next_seq() - 1;
  if (durable_seq <= last) return durable_seq;
  return leaving_ == Leaving::ended ? last : 0;
}

std::optional<End> Session::acknowledged_by(const v1::Ack& ack, Time now) {
  if (phase_ != Phase::streaming) return broken("Ack before Welcome");
  if (ack.durable_seq() > believed(ack.durable_seq()) && leaving_ != Leaving::ended) {
    return broken(
        fmt::format("Ack of batch {}, the last one made is {}", ack.durable_seq(), buffer_.next_seq() - 1));
  }
  if (ack.delivery_interval_ms() > 0) delivery_interval_ = milliseconds(ack.delivery_interval_ms());
  credit_ = std::max(credit_, ack.backfill_credit());
  // What an earlier connection brought may become durable while it is sent again. It is believed as far as it
  // was: forgetting what is still to be sent would leave a hole in this stream.
  const std::uint64_t durable = std::min(ack.durable_seq(), cursor_ - 1);
  durable_ = std::max(durable_, durable);
  if (durable <= buffer_.durable_seq()) {
    if (waiting_since_) waiting_since_ = now;  // its disk may be full, but it is there
    return {};
  }
  buffer_.acknowledge(durable);
  progressed_ = true;
  waiting_since_.reset();
  if (buffer_.durable_seq() + 1 < cursor_) waiting_since_ = now;
  return {};
}

std::optional<Session::Time> Session::deadline() const {
  if (phase_ != Phase::streaming) return started_ + kWelcomeTimeout;
  if (waiting_since_) return *waiting_since_ + kAckTimeout;
  return {};
}

bool Session::idle() const {
  return phase_ == Phase::streaming && leaving_ == Leaving::no && buffer_.all_durable() &&
         std::max(identity_.interval, delivery_interval_.value_or(milliseconds(0))) <= kLongestRest;
}

std::optional<End> Session::check(Time now) const {
  const auto until = deadline();
  if (!until || now < *until) return {};
  const std::string_view missing = phase_ == Phase::streaming ? "Ack" : "Welcome";
  return End{End::Kind::away, fail(Errc::timeout, "the aggregator is silent: no {} in time", missing), {}};
}

std::optional<End> Session::check_size(const std::string& message) const {
  if (message.size() <= max_message_bytes_) return {};
  return End{End::Kind::rejected,
             fail(Errc::limit, "a message of {} bytes is larger than the {} the aggregator takes",
                  message.size(), max_message_bytes_),
             {}};
}

}  // namespace vigil::agent
