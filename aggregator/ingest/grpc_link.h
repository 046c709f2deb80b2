// One agent's gRPC stream: when to read and to write, and the guard of its end. Outlives the reactor: shards
// may hold it longer.
#pragma once

#include "aggregator/ingest/agent_link.h"

#include <grpc/grpc.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace vigil::aggregator {

/// One write is outstanding at a time (gRPC queues without bound otherwise), acknowledgements coalesce,
/// Finish is called once.
class GrpcLink final : public AgentLink {
 public:
  using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
  /// `call` is the reactor's.
  GrpcLink(Reactor* reactor, grpc_call* call, std::string remote, std::int64_t opened_ms)
      : remote_(std::move(remote)), opened_ms_(opened_ms), reactor_(reactor), call_(call) {}

  void welcome(const v1::Welcome& welcome) override;
  void acknowledge(const Acknowledgement& acknowledgement) override;
  void request(const v1::ActionRequest& action) override;
  void refuse(const Refused& refused) override;
  void taken(bool ack_follows) override;
  void nudge() override;
  const std::string& remote() const override { return remote_; }

  // For the reactor.

  /// The shard has the message, so that another cannot overtake it. Asks for the next one if this one had
  /// been waiting to be read, as in a catch-up. Otherwise the next one is a beat away, and reading on waits
  /// for the acknowledgement: each read begins with a packet that tells how much may be sent, which would
  /// wake the agent for itself.
  void handed_over();
  /// A message was read. Gives its bytes, or nothing when the stream is ending and nobody wants it.
  std::optional<std::string> message();
  void written(bool ok);
  /// The agent is gone, or has nothing more to say.
  void finish(const grpc::Status& status);
  /// The reactor is about to be deleted.
  void detach();

  /// Cancels the call when its client has not taken a refusal for so long, which one whose window is shut
  /// never does: it would keep its place for ever. With no lock that the reactor takes.
  void cancel_if_stuck(std::int64_t now_ms, std::int64_t patience_ms);

  std::int64_t opened_ms() const { return opened_ms_; }

  /// How many messages may wait at the shard; then reading pauses, and TCP slows the agent down.
  static constexpr int kMaxInFlight = 4;

 private:
  void write(const v1::AggregatorMessage& message);
  void pump();
  void start_read();
  void finish_locked(const grpc::Status& status);

  const std::string remote_;
  const std::int64_t opened_ms_;

  std::mutex mutex_;  // protects what follows
  Reactor* reactor_;  // null once it is done
  grpc_call* call_;   // there as long as the reactor is
  grpc::ByteBuffer in_;
  grpc::ByteBuffer out_;
  enum class ReadState : std::uint8_t { idle, asked, handing_over };
  ReadState read_ = ReadState::idle;
  bool read_wanted_ = false;  // by somebody, while a message was handed over
  std::chrono::steady_clock::time_point read_began_{};
  bool more_waiting_ = true;  // the latest message was there before it was asked for
  bool writing_ = false;
  bool finished_ = false;
  int in_flight_ = 0;
  std::optional<v1::Welcome> welcome_;
  std::optional<v1::Ack> ack_;
  std::vector<v1::ActionRequest> actions_;
  std::optional<Refused> refusal_;
  bool refusal_sent_ = false;
  std::optional<std::int64_t> stuck_since_ms_;
};

}  // namespace vigil::aggregator
