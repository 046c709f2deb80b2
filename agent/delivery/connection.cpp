#include "agent/delivery/connection.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

namespace vigil::agent {
namespace {

constexpr const char* kMethod = "/vigil.v1.Ingest/Stream";

}  // namespace

Connection::Connection(std::shared_ptr<grpc::Channel> channel, const Queue& queue, Session session)
    : mark_(queue.mark),
      session_(std::move(session)),
      channel_(std::move(channel)),
      stub_(channel_),
      call_(stub_.PrepareCall(&context_, kMethod, &queue.events)) {
  call_->StartCall(tag(Event::started));
}

void Connection::handle(Event event, bool ok, Session::Time now) {
  switch (event) {
    case Event::started:
      starting_ = false;
      if (ok && !reason_) read();
      break;
    case Event::read:
      reading_ = false;
      if (!ok || reason_) break;
      if (const auto message = parse()) {
        if (auto ended = session_->received(*message, now)) {
          end(std::move(*ended));
        } else if (!session_->idle()) {
          read();
        }
      } else {
        end({End::Kind::away, {Errc::parse, "the aggregator sent bytes that are no message"}, {}});
      }
      break;
    case Event::written:
    case Event::writes_done:
      writing_ = false;
      break;
    case Event::finished:
      finished_ = true;
      if (!reason_) {
        reason_ = End{End::Kind::away, fail(Errc::unavailable, "{}", status_.error_message()), {}};
        if (status_.ok()) reason_->error.message = "the aggregator closed the stream";
      }
      return;
  }
  broken_ |= !ok;  // the stream ended, or was never there: gRPC has the status
  if (broken_ || reason_) finish_when_idle();
}

void Connection::read() {
  reading_ = true;
  call_->Read(&incoming_, tag(Event::read));
}

std::optional<v1::AggregatorMessage> Connection::parse() {
  v1::AggregatorMessage message;
  grpc::ProtoBufferReader reader(&incoming_);
  const bool parsed = message.ParseFromZeroCopyStream(&reader);
  incoming_.Clear();
  if (!parsed) return {};
  return message;
}

std::size_t Connection::pump(Session::Time now, std::int64_t wall_ms) {
  if (starting_ || writing_ || closing_ || finishing_ || reason_ || broken_) return 0;
  if (session_->left()) {
    writing_ = true;
    closing_ = true;
    call_->WritesDone(tag(Event::writes_done));
    if (!reading_) read();
    return 0;
  }
  const std::string* message = session_->next(now, wall_ms);
  if (message == nullptr) return 0;
  greeted_ = true;
  if (auto too_large = session_->check_size(*message)) {
    end(std::move(*too_large));
    return 0;
  }
  writing_ = true;
  const grpc::Slice slice(*message);
  call_->Write(grpc::ByteBuffer(&slice, 1), tag(Event::written));
  // Only now: each read begins with a packet that tells how much may be sent, and with nothing under way that
  // packet would wake the aggregator for itself.
  if (!reading_) read();
  return message->size();
}

void Connection::end(End reason) {
  if (!reason_) reason_ = std::move(reason);
  context_.TryCancel();
  finish_when_idle();
}

void Connection::finish_when_idle() {
  if (starting_ || reading_ || writing_ || finishing_) return;
  finishing_ = true;
  call_->Finish(&status_, tag(Event::finished));
}

}  // namespace vigil::agent
