// The gRPC call of one simulated agent, on a connection of its own, as each real agent has one.
#pragma once

#include "cli/bench/fleet_agent.h"
#include "common/delivery/channel.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::cli {

/// Owned by the fleet; its thread. Every operation puts one event on the queue, and handle() takes it. It may
/// be destroyed when over() says so, and not before: gRPC writes into it until then.
class FleetStream {
 public:
  using Time = FleetAgent::Time;
  enum class Event : std::uintptr_t { started = 1, read, written, writes_done, finished };
  /// What a tag of the queue says.
  static FleetStream& owner(void* tag);
  static Event event(void* tag);

  FleetStream(FleetAgent& agent, std::size_t number, const ChannelOptions& options,
              grpc::CompletionQueue& queue);

  void handle(Event event, bool ok, Time now, std::vector<std::chrono::microseconds>& waited);
  /// Writes what the agent has to say, unless something is being written.
  void pump(Time now, std::int64_t wall_ms);
  /// Ends the call: what is under way is cancelled.
  void end(Goodbye why);
  bool over() const { return finished_; }
  /// Why it is over; nothing after an orderly Bye.
  const std::optional<Goodbye>& why() const { return why_; }
  std::size_t number() const { return number_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void* tag(Event event);
  void read();
  void take(Time now, std::vector<std::chrono::microseconds>& waited);
  void finish_when_idle();
  void finished();

  static constexpr std::uintptr_t kEventBits = 7;

  FleetAgent& agent_;
  const std::size_t number_;
  grpc::ClientContext context_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer incoming_;
  grpc::Status status_;
  std::optional<Goodbye> why_;
  std::uint64_t bytes_ = 0;
  bool starting_ = true;
  bool reading_ = false;
  bool writing_ = false;
  bool closing_ = false;  // WritesDone was called, after Bye
  bool broken_ = false;   // an operation failed
  bool finishing_ = false;
  bool finished_ = false;
};

}  // namespace vigil::cli
