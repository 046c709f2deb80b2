// A provider that lets everybody wait keeps few calls waiting, each for a bounded time, and nobody else.
#include "aggregator/serve/login_service.h"

#include "tests/aggregator/access/endless_query.h"
#include "tests/aggregator/access/oidc/issuer.h"
#include "tests/support/catch.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::access;
using namespace vigil::aggregator::access::oidc;

namespace {

/// Nobody is answered until it may go on.
struct SilentProvider {
  Web web() {
    return {[this](const WebRequest& request) -> Result<WebReply> {
      if (++asked == 1) reached.set_value();
      released.wait();
      return fail(Errc::unavailable, "{}: no answer in time", request.url);
    }};
  }

  std::atomic<int> asked = 0;
  std::promise<void> reached;
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
};

struct Served {
  Served() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&logins);
    builder.RegisterService(&queries);
    server = builder.BuildAndStart();
    REQUIRE(server);
    channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
    stub = v1::Login::NewStub(channel);
  }
  ~Served() {
    server->Shutdown();
    logins.stop();
  }

  SilentProvider provider;
  self::Registry registry;
  std::atomic<std::int64_t> now = kNow;
  People people{config_for_alice(), provider.web(), [this] { return now.load(); }, registry};
  LoginService logins{
      std::make_unique<DeviceLogin>(people, provider.web(), ""), "https://issuer", {}, [this] {
        return now.load();
      }};
  EndlessQuery queries{EndlessQuery::Sends::once, 1};
  int port = 0;
  std::unique_ptr<grpc::Server> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Login::Stub> stub;
};

struct Start {
  grpc::ClientContext context;
  v1::StartLoginRequest request;
  v1::StartLoginResponse response;
  std::promise<grpc::Status> ended;
  std::future<grpc::Status> end = ended.get_future();

  bool is_over() const { return end.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
};

}  // namespace

TEST_CASE(
    "logins at a provider that is silent wait in a short queue, not for long, and hold nobody else up") {
  Served served;
  std::vector<std::unique_ptr<Start>> calls;
  const auto call = [&] {
    Start& start = *calls.emplace_back(std::make_unique<Start>());
    start.context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
    served.stub->async()->StartLogin(
        &start.context, &start.request, &start.response,
        [&start](grpc::Status status) { start.ended.set_value(std::move(status)); });
  };
  call();
  served.provider.reached.get_future().wait();
  for (std::size_t i = 0; i < kMostWaitingLogins + 4; ++i) call();
  // Four of them are too many, whichever, and hear so while the provider is silent.
  while (std::ranges::count_if(calls, [](const auto& each) { return each->is_over(); }) < 4)
    std::this_thread::yield();
  // Nobody else waits for it.
  const auto queries = v1::Query::NewStub(served.channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
  v1::QueryResult result;
  CHECK(queries->Instant(&context, {}, &result).ok());
  CHECK_FALSE(calls.front()->is_over());

  served.now += kLongestLoginWait.count() + 1;
  served.provider.release.set_value();
  std::size_t too_many = 0;
  std::size_t let_wait = 0;
  for (auto& each : calls) {
    const grpc::Status status = each->end.get();
    CHECK_FALSE(status.ok());
    if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) ++too_many;
    if (status.error_message().find("lets others wait") != std::string::npos) ++let_wait;
  }
  CHECK(too_many == 4);
  CHECK(let_wait == kMostWaitingLogins);
  CHECK(served.provider.asked == 1);  // it was not asked for those who had waited too long
}
