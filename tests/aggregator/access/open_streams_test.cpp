#include "aggregator/access/open_streams.h"

#include "tests/aggregator/access/guarded_port.h"

using namespace vigil;
using namespace vigil::aggregator::access;

TEST_CASE("a stream ends with the reason when its token is revoked, and those of others go on") {
  Fixture f;
  const std::string leaked = f.token("leaked", Role::viewer);
  const std::string other = f.token("other", Role::viewer);
  GuardedPort door(*f.gatekeeper);
  Watcher revoked(door, leaked);
  Watcher too(door, leaked);
  Watcher stays(door, other);
  CHECK(door.streams.size() == 3);
  door.streams.check();
  REQUIRE(f.accounts->revoke_token("leaked", f.root));
  door.streams.check();
  for (Watcher* each : {&revoked, &too}) {
    const grpc::Status status = each->end();
    CHECK(status.error_code() == grpc::StatusCode::UNAUTHENTICATED);
    CHECK(status.error_message() == "the token leaked expired or was revoked");
  }
  door.streams.check();
  CHECK(stays.leave().error_code() == grpc::StatusCode::CANCELLED);
  door.stop();
  CHECK(door.streams.size() == 0);
}

TEST_CASE("a stream does not outlive its token's time") {
  Fixture f;
  const std::string token = f.token("short", Role::viewer, Area::other, kT0 + 1000);
  GuardedPort door(*f.gatekeeper);
  Watcher watcher(door, token);
  f.now = kT0 + 1000;
  door.streams.check();
  const grpc::Status status = watcher.end();
  CHECK(status.error_code() == grpc::StatusCode::UNAUTHENTICATED);
  CHECK_THAT(status.error_message(), Catch::Contains("the token short expired"));
}

TEST_CASE("a client that does not read is ended as well, and learns why when it does") {
  Fixture f;
  const std::string token = f.token("slow", Role::viewer);
  GuardedPort door(*f.gatekeeper, Place::away, EndlessQuery::Sends::always, 1 << 20);
  Watcher watcher(door, token);
  REQUIRE(f.accounts->revoke_token("slow", f.root));
  door.streams.check();
  CHECK(watcher.end().error_code() == grpc::StatusCode::UNAUTHENTICATED);
}

TEST_CASE("who came in by where he is goes on, and a call that ends by itself is noted no more") {
  Fixture f;
  GuardedPort door(*f.gatekeeper, Place::loopback);
  CHECK(ask_instant(*door.connect(), "").ok());
  CHECK(door.streams.size() == 0);
  Watcher watcher(door, "");
  door.streams.check();
  CHECK(door.streams.size() == 1);
  CHECK(watcher.leave().error_code() == grpc::StatusCode::CANCELLED);
  door.stop();
  CHECK(door.streams.size() == 0);
}
