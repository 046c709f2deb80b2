#include "cli/bench/fleet_stream.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

namespace vigil::cli {
namespace {

constexpr const char* kMethod = "/vigil.v1.Ingest/Stream";

}  // namespace

FleetStream::FleetStream(FleetAgent& agent, std::size_t number, const ChannelOptions& options,
                         grpc::CompletionQueue& queue)
    : agent_(agent),
      number_(number),
      channel_(make_channel(options)),
      stub_(channel_),
      call_(stub_.PrepareCall(&context_, kMethod, &queue)) {
  call_->StartCall(tag(Event::started));
}

// A tag is the address, with the event in the bits that alignment leaves free.
void* FleetStream::tag(Event event) {
  static_assert(alignof(FleetStream) > kEventBits, "room for the event");
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(this) | static_cast<std::uintptr_t>(event));
}
FleetStream& FleetStream::owner(void* tag) {
  return *reinterpret_cast<FleetStream*>(reinterpret_cast<std::uintptr_t>(tag) & ~kEventBits);
}
FleetStream::Event FleetStream::event(void* tag) {
  return static_cast<Event>(reinterpret_cast<std::uintptr_t>(tag) & kEventBits);
}

void FleetStream::handle(Event event, bool ok, Time now, std::vector<std::chrono::microseconds>& waited) {
  switch (event) {
    case Event::started:
      starting_ = false;
      if (ok && !why_) read();
      break;
    case Event::read:
      reading_ = false;
      if (ok && !why_) take(now, waited);
      break;
    case Event::written:
    case Event::writes_done:
      writing_ = false;
      break;
    case Event::finished:
      return finished();
  }
  broken_ |= !ok;  // the stream ended, or was never there: gRPC has the status
  if (broken_ || why_) finish_when_idle();
}

void FleetStream::finished() {
  finished_ = true;
  if (why_ || agent_.left()) return;
  why_ = Goodbye{status_.ok() ? "unavailable: the aggregator closed the stream"
                              : "unavailable: " + status_.error_message()};
}

void FleetStream::take(Time now, std::vector<std::chrono::microseconds>& waited) {
  v1::AggregatorMessage message;
  grpc::ProtoBufferReader reader(&incoming_);
  const bool parsed = message.ParseFromZeroCopyStream(&reader);
  incoming_.Clear();
  if (!parsed) return end({"protocol: the aggregator sent bytes that are no message"});
  if (auto goodbye = agent_.received(message, now, waited)) {
    end(std::move(*goodbye));
  } else if (!agent_.idle()) {
    read();
  }
}

void FleetStream::read() {
  reading_ = true;
  call_->Read(&incoming_, tag(Event::read));
}

void FleetStream::pump(Time now, std::int64_t wall_ms) {
  if (starting_ || writing_ || closing_ || finishing_ || why_ || broken_) return;
  if (agent_.left()) {
    writing_ = closing_ = true;
    call_->WritesDone(tag(Event::writes_done));
    if (!reading_) read();
    return;
  }
  const auto message = agent_.next(now, wall_ms);
  if (!message) return;
  bytes_ += message->size();
  writing_ = true;
  const grpc::Slice slice(*message);
  call_->Write(grpc::ByteBuffer(&slice, 1), tag(Event::written));
  // Only now, as the agent does: with nothing under way the packet with which each read begins would wake the
  // aggregator for itself.
  if (!reading_) read();
}

void FleetStream::end(Goodbye why) {
  if (!why_) why_ = std::move(why);
  context_.TryCancel();
  finish_when_idle();
}

void FleetStream::finish_when_idle() {
  if (starting_ || reading_ || writing_ || finishing_) return;
  finishing_ = true;
  call_->Finish(&status_, tag(Event::finished));
}

}  // namespace vigil::cli
