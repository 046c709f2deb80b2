// A gRPC port behind the guard, and its callers.
#pragma once

#include "aggregator/access/call_guard.h"
#include "aggregator/access/open_streams.h"
#include "tests/aggregator/access/endless_query.h"
#include "tests/aggregator/access/fixture.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vigil::aggregator::access {

/// On loopback; `place` is what the port takes its callers for.
struct GuardedPort {
  explicit GuardedPort(Gatekeeper& gatekeeper, Place place = Place::away,
                       EndlessQuery::Sends sends = EndlessQuery::Sends::once, std::size_t bytes = 1)
      : service(sends, bytes), streams(gatekeeper) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", plain_credentials(gatekeeper, place), &port);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
    interceptors.push_back(streams.noting());
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
    REQUIRE(server);
  }
  ~GuardedPort() { stop(); }
  GuardedPort(const GuardedPort&) = delete;
  GuardedPort& operator=(const GuardedPort&) = delete;

  /// Once it is back, gRPC has let go of every call.
  void stop() {
    if (server) server->Shutdown(std::chrono::system_clock::now());
    server.reset();
  }
  /// Over a connection of its own.
  std::unique_ptr<v1::Query::Stub> connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::Query::NewStub(grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                                        grpc::InsecureChannelCredentials(), arguments));
  }

  EndlessQuery service;
  OpenStreams streams;
  int port = 0;
  std::unique_ptr<grpc::Server> server;
};

inline void show(grpc::ClientContext& context, const std::string& token) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
}

inline grpc::Status ask_instant(v1::Query::Stub& stub, const std::string& token) {
  grpc::ClientContext context;
  show(context, token);
  v1::QueryResult result;
  return stub.Instant(&context, {}, &result);
}

/// Watches, and has got its first update.
class Watcher {
 public:
  Watcher(const GuardedPort& port, const std::string& token) : stub_(port.connect()) {
    show(context_, token);
    reader_ = stub_->Watch(&context_, {});
    v1::WatchUpdate update;
    REQUIRE(reader_->Read(&update));
  }
  /// Reads until there is no more.
  grpc::Status end() {
    v1::WatchUpdate update;
    while (reader_->Read(&update)) {
    }
    return reader_->Finish();
  }
  grpc::Status leave() {
    context_.TryCancel();
    return end();
  }

 private:
  std::unique_ptr<v1::Query::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchUpdate>> reader_;
};

}  // namespace vigil::aggregator::access
