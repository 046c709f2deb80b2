// The door and the guard of the gRPC port together: who was let in is known at the door by what gRPC tells.
#include "aggregator/ingest/grpc_server.h"

#include "tests/aggregator/access/endless_query.h"
#include "tests/aggregator/access/fixture.h"
#include "tests/aggregator/ingest/door_figures.h"
#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

namespace {

struct Served {
  Served() : tally("grpc", registry) {
    GrpcServerOptions options;
    options.listen = {"127.0.0.1", 0};
    options.gatekeeper = f.gatekeeper.get();
    options.tally = &tally;
    server = GrpcServer::start(options, {&service}).value();
  }
  /// Over a connection of its own.
  std::unique_ptr<v1::Query::Stub> connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::Query::NewStub(grpc::CreateCustomChannel(server->address().to_string(),
                                                        grpc::InsecureChannelCredentials(), arguments));
  }
  static grpc::StatusCode ask(v1::Query::Stub& stub, const std::string& token) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    context.AddMetadata("authorization", "Bearer " + token);
    v1::InstantRequest request;
    request.set_expression(std::string(8000, 'x'));
    v1::QueryResult result;
    return stub.Instant(&context, request, &result).error_code();
  }

  access::Fixture f;
  self::Registry registry;
  door::Tally tally;
  access::EndlessQuery service{access::EndlessQuery::Sends::once, 1};
  std::unique_ptr<GrpcServer> server;
};

}  // namespace

TEST_CASE("who is let in may send as much as he likes, and make as many calls") {
  Served served;
  const std::string token = served.f.token("right", access::Role::viewer);
  const auto stub = served.connect();
  for (int i = 0; i < 500; ++i) {
    INFO(i);
    REQUIRE(Served::ask(*stub, token) == grpc::StatusCode::OK);
  }
  for (const char* reason : {"stranger", "calls", "room"}) {
    INFO(reason);
    CHECK(ended_by_door(served.registry, reason) == 0);
  }
}

TEST_CASE("who is never let in is ended when he has sent much") {
  Served served;
  const auto stub = served.connect();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (ended_by_door(served.registry, "stranger") == 0 && std::chrono::steady_clock::now() < deadline)
    REQUIRE(Served::ask(*stub, "wrong") != grpc::StatusCode::OK);
  CHECK(ended_by_door(served.registry, "stranger") > 0);
}

TEST_CASE("who was let in once and is refused on and on is ended") {
  Served served;
  const std::string token = served.f.token("right", access::Role::viewer);
  const auto stub = served.connect();
  REQUIRE(Served::ask(*stub, token) == grpc::StatusCode::OK);
  for (int i = 0; ended_by_door(served.registry, "calls") == 0 && i < 10'000; ++i)
    REQUIRE(Served::ask(*stub, "wrong") != grpc::StatusCode::OK);
  CHECK(ended_by_door(served.registry, "calls") == 1);
  CHECK(Served::ask(*served.connect(), token) == grpc::StatusCode::OK);
}
