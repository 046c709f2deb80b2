// The one gRPC port: ingest and whatever other services are given to it, with health, reflection and the
// limits that keep a hostile client from more than its share.
#pragma once

#include "aggregator/access/call_guard.h"
#include "aggregator/access/open_streams.h"
#include "aggregator/door/tally.h"
#include "aggregator/ingest/grpc_certificates.h"
#include "aggregator/ingest/grpc_door.h"
#include "common/error.h"
#include "common/text/address.h"
#include "common/wire/names.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::aggregator {

enum class ClientCertificate : std::uint8_t { not_asked, asked, required };

struct GrpcTls {
  GrpcTlsFiles files;
  ClientCertificate client = ClientCertificate::not_asked;  // what is shown is checked
  std::chrono::seconds look_every{5};
};

struct GrpcServerOptions {
  Address listen{"127.0.0.1", kGrpcPort};
  std::optional<GrpcTls> tls;  // nothing: plain text
  /// Who comes in; outlives the server. Null: everybody may everything.
  access::Gatekeeper* gatekeeper = nullptr;
  access::MayCall may_call{};  // of certificates, before the gatekeeper; may be empty
  door::Limits limits{.most = 12'128, .most_of_source = 1024};
  door::Tally* tally = nullptr;  // outlives the server; may be null
  std::string socket;            // path of a socket for who may open it; empty: none. With a gatekeeper only.
  std::size_t memory_bytes = std::size_t{1} << 30;  // of gRPC's buffers, all connections together
  int max_message_bytes = wire::kMaxMessageBytes;
};

class GrpcServer {
 public:
  /// `services` outlive the server.
  static Result<std::unique_ptr<GrpcServer>> start(const GrpcServerOptions& options,
                                                   const std::vector<grpc::Service*>& services);
  ~GrpcServer();

  /// As bound: the port is real even when 0 was asked for.
  const Address& address() const { return address_; }
  /// What the standard health service says, for all services.
  void set_serving(bool serving);
  /// Ends streams whose callers may no longer, and takes certificate files that changed; once a second or so.
  void beat(std::chrono::steady_clock::time_point now);
  /// Waits for open calls up to the deadline, then cancels them. Without a deadline a stuck call would hang
  /// the process (grpc/grpc#39114).
  void stop(std::chrono::milliseconds deadline);

 private:
  struct Parts {
    std::unique_ptr<GrpcCertificates> certificates;
    std::unique_ptr<access::OpenStreams> streams;
    std::unique_ptr<GrpcDoor> door;
    std::unique_ptr<grpc::Server> server;
  };
  explicit GrpcServer(Parts parts)
      : certificates_(std::move(parts.certificates)),
        streams_(std::move(parts.streams)),
        door_(std::move(parts.door)),
        server_(std::move(parts.server)),
        address_(door_->address()) {}
  const std::unique_ptr<GrpcCertificates> certificates_;  // null in plain text
  const std::unique_ptr<access::OpenStreams> streams_;    // null without a gatekeeper
  std::unique_ptr<GrpcDoor> door_;                        // hears of calls until the server has ended
  std::unique_ptr<grpc::Server> server_;
  const Address address_;
};

}  // namespace vigil::aggregator
