// The one gRPC port: ingest and whatever other services are given to it, with health, reflection and the
// limits that keep a hostile client from more than its share.
#pragma once

#include "common/error.h"
#include "common/text/address.h"
#include "common/wire/names.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace vigil::aggregator {

struct GrpcServerOptions {
  Address listen{"127.0.0.1", kGrpcPort};
  std::string tls_cert;  // PEM texts; both empty: no TLS
  std::string tls_key;
  std::string tls_client_ca;  // who signs the certificates everybody must show; empty: nobody must
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
  /// Waits for open calls up to the deadline, then cancels them. Without a deadline a stuck call would hang
  /// the process (grpc/grpc#39114).
  void stop(std::chrono::milliseconds deadline);

 private:
  GrpcServer(std::unique_ptr<grpc::Server> server, Address address)
      : server_(std::move(server)), address_(std::move(address)) {}
  std::unique_ptr<grpc::Server> server_;
  const Address address_;
};

}  // namespace vigil::aggregator
