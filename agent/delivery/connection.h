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

/// Owned by the delivery's loop; its thread. Every operation puts one event on the queue, and handle() takes
/// it. It may be destroyed when over() says so, and not before: gRPC writes into it until then.
class Connection {
 public:
  enum class Event : std::uintptr_t { started = 1, read, written, writes_done, finished };
  static void* tag(Event event) { return reinterpret_cast<void*>(event); }

  Connection(const ChannelOptions& options, grpc::CompletionQueue& queue, Session session);

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
  Session& session() { return session_; }
  const Session& session() const { return session_; }

 private:
  void read();
  void finish_when_idle();
  std::optional<v1::AggregatorMessage> parse();

  Session session_;
  grpc::ClientContext context_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer incoming_;
  grpc::Status status_;
  std::optional<End> reason_;
  bool starting_ = true;
  bool reading_ = false;
  bool writing_ = false;
  bool closing_ = false;  // WritesDone was called, after Bye
  bool broken_ = false;   // an operation failed
  bool finishing_ = false;
  bool finished_ = false;
};

}  // namespace vigil::agent
