#include "aggregator/ingest/grpc_link.h"

#include "aggregator/access/held_call.h"

#include <algorithm>
#include <vector>

namespace vigil::aggregator {
namespace {

constexpr std::chrono::milliseconds kAtOnce{20};

/// For clients that look at the status only. A refusal is an orderly end but where a limit is in the way.
grpc::Status status_of(const Refused& refused) {
  if (refused.code != v1::Refusal::CODE_FULL) return grpc::Status::OK;
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, refused.message};
}

}  // namespace

void GrpcLink::welcome(const v1::Welcome& welcome) {
  const std::lock_guard lock(mutex_);
  welcome_ = welcome;
  pump();
}

void GrpcLink::acknowledge(const Acknowledgement& acknowledgement) {
  const std::lock_guard lock(mutex_);
  if (!ack_) ack_.emplace();
  ack_->set_durable_seq(std::max(ack_->durable_seq(), acknowledgement.durable_seq));
  if (acknowledgement.delivery_interval_ms != 0)
    ack_->set_delivery_interval_ms(acknowledgement.delivery_interval_ms);
  if (acknowledgement.backfill_credit != 0) ack_->set_backfill_credit(acknowledgement.backfill_credit);
  pump();
}

void GrpcLink::request(const v1::ActionRequest& action) {
  const std::lock_guard lock(mutex_);
  actions_.push_back(action);
  pump();
}

void GrpcLink::refuse(const Refused& refused) {
  const std::lock_guard lock(mutex_);
  if (refusal_) return;
  refusal_ = refused;
  pump();
}

void GrpcLink::taken(bool ack_follows) {
  const std::lock_guard lock(mutex_);
  --in_flight_;
  if (more_waiting_ || !ack_follows) start_read();
}

void GrpcLink::nudge() {
  const std::lock_guard lock(mutex_);
  start_read();
}

void GrpcLink::handed_over() {
  const std::lock_guard lock(mutex_);
  read_ = ReadState::idle;
  if (more_waiting_ || read_wanted_) start_read();
}

void GrpcLink::start_read() {
  // A read that was asked for already is what the caller wants. One that handed_over() will begin is not.
  if (read_ == ReadState::handing_over) read_wanted_ = true;
  const bool may = reactor_ != nullptr && !finished_ && !refusal_ && in_flight_ < kMaxInFlight;
  if (!may || read_ != ReadState::idle) return;
  read_ = ReadState::asked;
  read_wanted_ = false;
  read_began_ = std::chrono::steady_clock::now();
  reactor_->StartRead(&in_);
}

std::optional<std::string> GrpcLink::message() {
  const std::lock_guard lock(mutex_);
  read_ = ReadState::handing_over;
  more_waiting_ = std::chrono::steady_clock::now() - read_began_ < kAtOnce;
  if (finished_ || refusal_) return std::nullopt;
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (in_.Dump(&slices).ok()) {
    bytes.reserve(in_.Length());
    for (const grpc::Slice& slice : slices)
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  in_.Clear();
  ++in_flight_;
  return bytes;
}

void GrpcLink::written(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_ = false;
  if (!ok) return finish_locked(grpc::Status::CANCELLED);
  pump();
  start_read();
}

// In the order of importance; called whenever something to say or room to say it has appeared.
void GrpcLink::pump() {
  if (reactor_ == nullptr || writing_ || finished_) return;
  v1::AggregatorMessage message;
  if (welcome_) {
    *message.mutable_welcome() = *welcome_;
    welcome_.reset();
    return write(message);
  }
  if (ack_) {
    *message.mutable_ack() = *ack_;
    ack_.reset();
    return write(message);
  }
  if (!actions_.empty() && !refusal_) {
    *message.mutable_action() = std::move(actions_.front());
    actions_.erase(actions_.begin());
    return write(message);
  }
  if (!refusal_) return;
  if (refusal_sent_) return finish_locked(status_of(*refusal_));
  refusal_sent_ = true;
  v1::Refusal& refusal = *message.mutable_refusal();
  refusal.set_code(refusal_->code);
  refusal.set_message(refusal_->message);
  refusal.set_retry_after_ms(refusal_->retry_after_ms);
  write(message);
}

void GrpcLink::write(const v1::AggregatorMessage& message) {
  grpc::Slice slice(message.SerializeAsString());
  out_ = grpc::ByteBuffer(&slice, 1);
  writing_ = true;
  reactor_->StartWrite(&out_);
}

void GrpcLink::finish(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  // A refusal on its way is worth waiting for; its write ends, one way or the other.
  if (refusal_ && writing_ && status.ok()) return;
  finish_locked(status);
}

void GrpcLink::finish_locked(const grpc::Status& status) {
  if (finished_ || reactor_ == nullptr) return;
  finished_ = true;
  reactor_->Finish(status);
}

void GrpcLink::detach() {
  const std::lock_guard lock(mutex_);
  reactor_ = nullptr;
}

void GrpcLink::cancel_if_stuck(std::int64_t now_ms, std::int64_t patience_ms) {
  std::optional<access::HeldCall> stuck;
  {
    const std::lock_guard lock(mutex_);
    if (reactor_ == nullptr || !refusal_) return;
    if (!stuck_since_ms_) stuck_since_ms_ = now_ms;
    if (now_ms - *stuck_since_ms_ < patience_ms) return;
    stuck.emplace(call_);
  }
  stuck->end({grpc::StatusCode::UNAVAILABLE, "the refusal was not read"});
}

}  // namespace vigil::aggregator
