// Enroll as anybody may call it: by who guesses, and by who was invited.
#include "aggregator/head/fleet_view.h"
#include "aggregator/head/shard_set.h"
#include "aggregator/serve/identity_service.h"
#include "tests/aggregator/identity/authority_fixture.h"
#include "tests/support/error_lines.h"

#include <grpcpp/grpcpp.h>

#include <atomic>

namespace vigil::aggregator::identity {
namespace {

using namespace testing;

/// The service over a channel of this process; its clock is the authority's.
struct Served {
  Served() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
    stub = v1::Identity::NewStub(server->InProcessChannel({}));
  }
  ~Served() { server->Shutdown(); }

  grpc::Status enroll(const std::string& token) const {
    grpc::ClientContext context;
    v1::EnrollRequest request;
    request.set_token(token);
    request.set_request(asking.request);
    v1::IssuedCertificate issued;
    return stub->Enroll(&context, request, &issued);
  }

  const Asking asking;
  OwnAuthority authority;
  std::atomic<std::int64_t> now_ms = kStart;
  ShardSet shards{1, {}, nullptr};
  FleetView view{shards, nullptr};
  QueryEngine engine{view, {}};
  IdentityService service{IdentitySources{engine,
                                          authority.authority.get(),
                                          [] { return std::string(); },
                                          {},
                                          {},
                                          [this] { return now_ms.load(); }}};
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<v1::Identity::Stub> stub;
};

}  // namespace

TEST_CASE(
    "10,000 wrong invitations make few lines in the log, and a right one gets through when it is told") {
  Served served;
  const std::string right = served.authority.token("web-1");
  test::ErrorLines lines(served.authority.dir.file("log"));
  std::map<grpc::StatusCode, int> answers;
  for (int i = 0; i < 10'000; ++i) ++answers[served.enroll(fmt::format("{:040x}", i)).error_code()];
  const grpc::Status refused = served.enroll(right);
  const auto logged = lines.end_of("identity");

  CHECK(answers[grpc::StatusCode::PERMISSION_DENIED] == 5);
  CHECK(answers[grpc::StatusCode::RESOURCE_EXHAUSTED] == 9'995);
  CHECK(logged.size() == 10);
  CHECK(refused.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK_THAT(refused.error_message(), Catch::EndsWith("try again in 12 s"));
  served.now_ms += 12'000;
  CHECK(served.enroll(right).ok());
}

TEST_CASE("hosts that were invited enroll one after another from one address") {
  Served served;
  for (int i = 0; i < 50; ++i) {
    const std::string token = served.authority.token(fmt::format("web-{}", i));
    CHECK(served.enroll(token).ok());
  }
}

TEST_CASE("hosts with invitations that are over keep no other host of their address out") {
  Served served;
  const std::string revoked = served.authority.token("web-1");
  REQUIRE(served.authority->revoke(Kind::host, "web-1"));
  const std::string used = served.authority.token("web-2");
  REQUIRE(served.enroll(used).ok());
  served.now_ms += kAnswerAgainMs;
  served.authority.now_ms += kAnswerAgainMs;
  const std::string right = served.authority.token("web-3");
  for (int i = 0; i < 20; ++i) {
    CHECK(served.enroll(revoked).error_code() == grpc::StatusCode::PERMISSION_DENIED);
    CHECK(served.enroll(used).error_code() == grpc::StatusCode::PERMISSION_DENIED);
  }
  CHECK(served.enroll(right).ok());
}

}  // namespace vigil::aggregator::identity
