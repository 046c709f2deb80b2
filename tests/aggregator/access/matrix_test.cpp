// The whole aggregator on real ports, and every kind of caller at every method and every route: who is let in
// is what the definitions say. Both lists come from the services and the router, so that what is new is here.
#include "aggregator/access/rpc_needs.h"
#include "aggregator/aggregator.h"
#include "tests/aggregator/access/methods.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"
#include "vigil/v1/access.grpc.pb.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <string>
#include <vector>

using namespace vigil;
using namespace vigil::aggregator;

namespace {

namespace asio = boost::asio;
using access::Area;
using access::Caller;
using access::Need;
using access::Role;

/// What a caller shows, and what the aggregator must take him for.
struct Kind {
  std::string name;
  std::string authorization;
  Caller caller;
};

struct World {
  World() {
    Invocation invocation;
    invocation.config.data_dir = folder.file("data");
    invocation.config.grpc_listen = "127.0.0.1:0";
    invocation.config.http_listen = "127.0.0.1:0";
    invocation.config.access.loopback = Role::none;
    invocation.config.access.agents = access::Agents::certificate;
    invocation.config.remote_write.enabled = true;
    auto made = Aggregator::create(invocation);
    if (!made) FAIL(made.error().message);
    aggregator = std::move(*made);
    plain = grpc::CreateChannel(aggregator->grpc_address().to_string(), grpc::InsecureChannelCredentials());
    socket = grpc::CreateChannel("unix:" + folder.file("data") + "/vigil.sock",
                                 grpc::InsecureChannelCredentials());
    make_callers();
  }

  std::string token(const std::string& name, const std::string& role, const std::string& scope,
                    std::int64_t valid_ms = 0) const {
    v1::CreateTokenRequest request;
    request.set_name(name);
    request.set_role(role);
    request.set_scope(scope);
    request.set_valid_ms(valid_ms);
    v1::CreateTokenResponse response;
    grpc::ClientContext context;
    const auto status = v1::Access::NewStub(socket)->CreateToken(&context, request, &response);
    if (!status.ok()) FAIL(status.error_message());
    return "Bearer " + response.token();
  }

  void make_callers() {
    const auto add = [this](const std::string& name, std::string shown, Role role, Area scope = Area::other) {
      callers.push_back({name, std::move(shown), {Caller::Kind::token, name, role, scope, false}});
    };
    add("nobody", "", Role::none);
    add("viewer", token("viewer", "viewer", ""), Role::viewer);
    add("operator", token("operator", "operator", ""), Role::operating);
    add("admin", token("admin", "admin", ""), Role::admin);
    add("query", token("query", "", "query"), Role::none, Area::query);
    add("remote_write", token("remote_write", "", "remote_write"), Role::none, Area::remote_write);
    add("metrics", token("metrics", "", "metrics"), Role::none, Area::metrics);
  }

  test::TempDir folder;
  std::unique_ptr<Aggregator> aggregator;
  std::shared_ptr<grpc::Channel> plain;
  std::shared_ptr<grpc::Channel> socket;
  std::vector<Kind> callers;
};

grpc::Status call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                  const std::string& authorization) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  if (!authorization.empty()) context.AddMetadata("authorization", authorization);
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  auto reader = stub.PrepareUnaryCall(&context, method, request, &queue);
  reader->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  reader->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return status;
}

unsigned ask(const Address& address, const std::string& method, const std::string& path,
             const std::string& authorization) {
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  socket.connect({asio::ip::make_address(address.host), address.port});
  std::string request =
      method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n";
  if (!authorization.empty()) request += "Authorization: " + authorization + "\r\n";
  boost::system::error_code error;
  asio::write(socket, asio::buffer(request + "\r\n"), error);
  std::string answer;
  asio::read(socket, asio::dynamic_buffer(answer), error);
  REQUIRE(answer.starts_with("HTTP/1.1 "));
  return static_cast<unsigned>(std::stoul(answer.substr(9, 3)));
}

bool is_refusal(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
         status.error_code() == grpc::StatusCode::PERMISSION_DENIED;
}

}  // namespace

TEST_CASE("every method lets in who may call it, and nobody else") {
  World world;
  const auto methods = access::all_methods();
  std::size_t let_in = 0;
  std::size_t kept_out = 0;
  for (const std::string& method : methods) {
    const auto need = access::need_of(method);
    REQUIRE(need);
    // It answers once the main loop, which does not run here, has reloaded.
    const bool is_reload = method == "/vigil.v1.Fleet/Reload";
    for (const Kind& kind : world.callers) {
      if (is_reload && access::may(kind.caller, *need)) continue;
      if (method == "/vigil.v1.Identity/Standing") continue;  // whether a host may deliver is its answer
      grpc::Status status = call(world.plain, method, kind.authorization);
      // The door ends a connection of many refusals; the next call has a new one.
      if (status.error_code() == grpc::StatusCode::UNAVAILABLE)
        status = call(world.plain, method, kind.authorization);
      INFO(method << " by " << kind.name << ": " << status.error_code() << " " << status.error_message());
      const bool may = access::may(kind.caller, *need);
      CHECK(is_refusal(status) == !may);
      CHECK(status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED);
      if (!may) {
        const bool shows = !kind.authorization.empty();
        CHECK((status.error_code() == grpc::StatusCode::PERMISSION_DENIED) == shows);
      }
      ++(may ? let_in : kept_out);
    }
    INFO(method << " by the socket");
    if (!is_reload) CHECK_FALSE(is_refusal(call(world.socket, method, "")));
  }
  CHECK(let_in > methods.size());
  CHECK(kept_out > methods.size());
  CHECK(call(world.plain, "/vigil.v1.Fleet/Nothing", "").error_code() == grpc::StatusCode::PERMISSION_DENIED);
  CHECK(call(world.socket, "/vigil.v1.Fleet/Nothing", "").error_code() ==
        grpc::StatusCode::PERMISSION_DENIED);
  CHECK(call(world.plain, "/grpc.health.v1.Health/Check", "").ok());
  const std::string reflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  CHECK(is_refusal(call(world.plain, reflection, "")));
  CHECK_FALSE(is_refusal(call(world.plain, reflection, world.callers[1].authorization)));
}

TEST_CASE("every route lets in who may ask it, and nobody else") {
  World world;
  const auto routes = world.aggregator->router().routes();
  CHECK(routes.size() > 40);
  const std::string wrong = "Bearer vgl_0000000000000000000000000000000000000000000";
  for (const auto& [method, route] : routes) {
    const std::string path =
        route->path.size() > 1 && route->path.ends_with('/') ? route->path + "x" : route->path;
    for (const Kind& kind : world.callers) {
      const bool may = access::may(kind.caller, route->need);
      // It answers once the main loop, which does not run here, has reloaded.
      if (path == "/-/reload" && may) continue;
      const unsigned status = ask(world.aggregator->http_address(), method, path, kind.authorization);
      INFO(method << " " << path << " by " << kind.name << ": " << status);
      CHECK((status == 401 || status == 403) == !may);
      if (!may) CHECK(status == (kind.authorization.empty() ? 401 : 403));
    }
  }
  for (const char* open : {"/healthz", "/readyz"}) {
    INFO(open);
    CHECK(ask(world.aggregator->http_address(), "GET", open, "") != 401);
  }
  for (int i = 0; i < 5; ++i) CHECK(ask(world.aggregator->http_address(), "GET", "/metrics", wrong) == 401);
  CHECK(ask(world.aggregator->http_address(), "GET", "/metrics", wrong) == 429);
  CHECK(ask(world.aggregator->http_address(), "GET", "/metrics", world.callers[1].authorization) == 429);
  CHECK(ask(world.aggregator->http_address(), "GET", "/healthz", "") == 200);
}

TEST_CASE(
    "a token for queries asks for values and what describes them, and not how the aggregator is set up") {
  World world;
  const std::string query = world.callers[4].authorization;
  const auto get = [&](const std::string& path) {
    return ask(world.aggregator->http_address(), "GET", path, query);
  };
  for (const char* path : {"/api/v1/query?query=1", "/api/v1/labels", "/api/v1/metadata", "/api/v1/rules",
                           "/api/v1/alerts", "/api/v1/status/buildinfo", "/api/v2/alerts"}) {
    INFO(path);
    CHECK(get(path) == 200);
  }
  for (const char* path : {"/api/v1/status/config", "/api/v1/status/flags", "/api/v1/status/runtimeinfo",
                           "/api/v1/status/tsdb", "/metrics", "/alerts/"}) {
    INFO(path);
    CHECK(get(path) == 403);
  }
  for (const std::string& method : access::all_methods()) {
    INFO(method);
    CHECK((access::need_of(method)->area == Area::query) == method.starts_with("/vigil.v1.Query/"));
  }
}

TEST_CASE("what is changed over gRPC is in the log, under the name that was shown") {
  World world;
  const std::string admin = world.callers[3].authorization;
  const auto stub = v1::Access::NewStub(world.plain);
  {
    grpc::ClientContext context;
    context.AddMetadata("authorization", admin);
    v1::PutUserRequest request;
    request.set_name("alice");
    request.set_password("correct horse");
    request.set_role("viewer");
    request.set_create(true);
    v1::PutUserResponse response;
    REQUIRE(stub->PutUser(&context, request, &response).ok());
  }
  grpc::ClientContext context;
  context.AddMetadata("authorization", admin);
  v1::ListAuditRequest request;
  request.set_who("admin");
  v1::ListAuditResponse response;
  REQUIRE(stub->ListAudit(&context, request, &response).ok());
  REQUIRE(response.entries_size() == 1);
  CHECK(response.entries(0).what() == "user.add");
  CHECK(response.entries(0).object() == "alice");
  CHECK(response.entries(0).kind() == "token");
  CHECK(response.entries(0).from().starts_with("127.0.0.1:"));
  CHECK(response.DebugString().find("correct horse") == std::string::npos);
}
