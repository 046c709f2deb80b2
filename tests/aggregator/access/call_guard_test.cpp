#include "aggregator/access/call_guard.h"

#include "aggregator/access/secrets.h"
#include "tests/aggregator/access/guarded_port.h"

using namespace vigil;
using namespace vigil::aggregator::access;

TEST_CASE("a connection is not made to pay for wrong tokens of one that was there before") {
  Fixture f;
  const std::string right = f.token("right", Role::viewer);
  const GuardedPort door(*f.gatekeeper);
  // Where the memory of a connection that is gone is used again, an address would be, too.
  for (int i = 0; i < 50; ++i) {
    const auto stub = door.connect();
    INFO(i);
    REQUIRE(ask_instant(*stub, right).ok());
    for (int wrong = 0; wrong < 5; ++wrong)
      REQUIRE(ask_instant(*stub, "wrong").error_code() == grpc::StatusCode::UNAUTHENTICATED);
    REQUIRE(ask_instant(*stub, right).error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  }
}

TEST_CASE("calls that come at once over one connection are counted together") {
  Fixture f;
  const std::string right = f.token("right", Role::viewer);
  const GuardedPort door(*f.gatekeeper);
  const auto stub = door.connect();
  std::vector<std::future<grpc::StatusCode>> answers;
  answers.reserve(16);
  for (int i = 0; i < 16; ++i) {
    answers.push_back(
        std::async(std::launch::async, [&stub] { return ask_instant(*stub, "wrong").error_code(); }));
  }
  for (auto& answer : answers) {
    const grpc::StatusCode code = answer.get();
    CHECK((code == grpc::StatusCode::UNAUTHENTICATED || code == grpc::StatusCode::RESOURCE_EXHAUSTED));
  }
  CHECK(ask_instant(*stub, right).error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(ask_instant(*door.connect(), right).ok());
}

TEST_CASE("without credentials a port's callers have the role of its place") {
  Fixture f;
  const GuardedPort here(*f.gatekeeper, Place::loopback);
  CHECK(ask_instant(*here.connect(), "").ok());
  const GuardedPort away(*f.gatekeeper, Place::away);
  const grpc::Status refused = ask_instant(*away.connect(), "");
  CHECK(refused.error_code() == grpc::StatusCode::UNAUTHENTICATED);
  CHECK_THAT(refused.error_message(), Catch::Contains("this needs the role viewer"));
}

TEST_CASE("passwords are for HTTP: over gRPC not even one counts that was right a moment ago") {
  Fixture f;
  REQUIRE(f.accounts->put_user({"alice", *hash_password("correct horse"), Role::viewer, true}, f.root));
  const std::string password = "Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==";  // alice:correct horse
  REQUIRE(f.ask(password, kViewer).answer == Verdict::Answer::yes);
  REQUIRE(f.gatekeeper->check({Place::away, "192.0.2.1", password, std::nullopt}, kViewer).answer ==
          Verdict::Answer::yes);
  const GuardedPort door(*f.gatekeeper);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  context.AddMetadata("authorization", password);
  v1::QueryResult result;
  const grpc::Status refused = door.connect()->Instant(&context, {}, &result);
  CHECK(refused.error_code() == grpc::StatusCode::UNAUTHENTICATED);
  CHECK_THAT(refused.error_message(), Catch::Contains("passwords are for HTTP"));
}
