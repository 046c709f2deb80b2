// One gRPC call of Ingest.Stream on a completion queue: bytes in, bytes out, and an end. Written by hand over
// the generic stub, since batches are encoded once and kept as bytes.
#pragma once

#include "agent/delivery/session.h"
#include "common/delivery/channel.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace vigil::agent {

/// Owned by a line of the delivery; its thread. Every operation puts one event on the queue, and handle()
/// takes it. It may be destroyed when over() says so, and not before: gRPC writes into it until then.
class Connection {
 public:
  enum class Event : std::uintptr_t { started = 1, read, written, writes_done, finished };
  /// Where the connection's events go, and what tells them from another's: each tag is `mark` + the event.
  struct Queue {
    grpc::CompletionQueue& events;
    std::uintptr_t mark = 0;  // a multiple of 16
  };

  Connection(std::shared_ptr<grpc::Channel> channel, const Queue& queue, Session session);

  /// What came of an event; ends the call when it failed or the aggregator said something that ends it.
  void handle(Event event, bool ok, Session::Time now);
  /// Writes the session's next message if nothing is being written. Returns its size, 0 when none was.
  std::size_t pump(Session::Time now, std::int64_t wall_ms);
  /// Ends the call: what is under way is cancelled.
  void end(End reason);
  bool ending() const { return reason_.has_value(); }
  bool over() const { return finished_; }
  /// Why it is over.
  const End& reason() const { return *reason_; }
  /// Whether the aggregator closed it after our Bye.
  bool closed_after_bye() const { return closing_ && finished_; }
  Session& session() { return *session_; }
  const Session& session() const { return *session_; }
  /// The aggregator is reached, and nothing was said yet.
  bool before_hello() const { return !starting_ && !greeted_ && !reason_ && !broken_; }
  /// Another session, before_hello().
  void speak(Session session) { session_.emplace(std::move(session)); }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  void read();
  void finish_when_idle();
  std::optional<v1::AggregatorMessage> parse();

  void* tag(Event event) const { return reinterpret_cast<void*>(mark_ + static_cast<std::uintptr_t>(event)); }

  const std::uintptr_t mark_;
  std::optional<Session> session_;
  grpc::ClientContext context_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer incoming_;
  grpc::Status status_;
  std::optional<End> reason_;
  bool starting_ = true;
  bool greeted_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool closing_ = false;  // WritesDone was called, after Bye
  bool broken_ = false;   // an operation failed
  bool finishing_ = false;
  bool finished_ = false;
};

}  // namespace vigil::agent
