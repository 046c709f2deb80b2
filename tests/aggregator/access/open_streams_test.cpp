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

TEST_CASE("nobody has more than so many calls at a time, over whatever connections, and others come in") {
  Fixture f;
  const std::string greedy = f.token("greedy", Role::viewer);
  const std::string other = f.token("other", Role::viewer);
  GuardedPort door(*f.gatekeeper);
  std::vector<std::unique_ptr<Watcher>> watchers;
  watchers.reserve(kMostOfOne);
  for (std::size_t i = 0; i < kMostOfOne; ++i) watchers.push_back(std::make_unique<Watcher>(door, greedy));
  const auto refused = [&] {
    const auto stub = door.connect();
    grpc::ClientContext context;
    show(context, greedy);
    const auto reader = stub->Watch(&context, {});
    v1::WatchUpdate update;
    while (reader->Read(&update)) {
    }
    return reader->Finish();
  };
  const grpc::Status status = refused();
  CHECK(status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(status.error_message() == "48 calls of token greedy are under way already: end one of them, or wait");
  CHECK_THAT(f.registry.exposition(),
             Catch::Contains("vigil_aggregator_access_refused_total{reason=\"rate\"} 1\n"));
  CHECK(ask_instant(*door.connect(), greedy).error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(door.streams.size() == kMostOfOne);
  CHECK(ask_instant(*door.connect(), other).ok());
  CHECK(Watcher(door, other).leave().error_code() == grpc::StatusCode::CANCELLED);
  CHECK(watchers.back()->leave().error_code() == grpc::StatusCode::CANCELLED);
  watchers.pop_back();
  // The server hears of the end a moment later than the client.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  bool came_in = false;
  while (!came_in && std::chrono::steady_clock::now() < deadline)
    came_in = ask_instant(*door.connect(), greedy).ok();
  CHECK(came_in);
  for (const auto& watcher : watchers) watcher->leave();
  door.stop();
  CHECK(door.streams.size() == 0);
}

TEST_CASE("calls of who shows nothing are counted by address") {
  Fixture f;
  GuardedPort door(*f.gatekeeper, Place::loopback);
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (std::size_t i = 0; i < kMostOfOne; ++i) watchers.push_back(std::make_unique<Watcher>(door, ""));
  const auto stub = door.connect();
  grpc::ClientContext context;
  show(context, "");
  const auto reader = stub->Watch(&context, {});
  v1::WatchUpdate update;
  while (reader->Read(&update)) {
  }
  const grpc::Status status = reader->Finish();
  CHECK(status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK_THAT(status.error_message(), Catch::Contains("48 calls from your address are under way"));
  const std::string token = f.token("other", Role::viewer);
  CHECK(ask_instant(*door.connect(), token).ok());
  for (const auto& watcher : watchers) watcher->leave();
}
