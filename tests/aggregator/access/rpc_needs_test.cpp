// A method that does not say what it needs cannot be called; this test finds it when it is written.
#include "aggregator/access/rpc_needs.h"

#include "tests/aggregator/access/methods.h"
#include "tests/support/catch.h"

#include <set>

using namespace vigil::aggregator::access;

TEST_CASE("every method of every service says which role it needs") {
  const auto methods = all_methods();
  CHECK(methods.size() > 30);
  for (const std::string& method : methods) {
    INFO(method);
    CHECK(need_of(method));
  }
}

TEST_CASE("who only looks changes nothing") {
  // Methods that viewers, agents and strangers may call; one that is missing here is for operators and
  // admins.
  const std::set<std::string> harmless = {
      "/vigil.v1.Access/WhoAmI",          "/vigil.v1.Actions/ListActions",  "/vigil.v1.Actions/ListRuns",
      "/vigil.v1.Fleet/ExplainAlert",     "/vigil.v1.Fleet/GetStatus",      "/vigil.v1.Fleet/ListAlerts",
      "/vigil.v1.Fleet/ListContainers",   "/vigil.v1.Fleet/ListGaps",       "/vigil.v1.Fleet/ListHosts",
      "/vigil.v1.Fleet/ListDeadMessages", "/vigil.v1.Fleet/ListReceivers",  "/vigil.v1.Fleet/ListRules",
      "/vigil.v1.Fleet/ListRoutes",       "/vigil.v1.Fleet/ListSilences",   "/vigil.v1.Ingest/Stream",
      "/vigil.v1.Query/Instant",          "/vigil.v1.Query/Labels",         "/vigil.v1.Query/Range",
      "/vigil.v1.Query/Series",           "/vigil.v1.Query/Watch",          "/vigil.v1.Rules/Replay",
      "/vigil.v1.Store/CheckStore",       "/vigil.v1.Store/GetStoreStatus", "/vigil.v1.Identity/Enroll",
      "/vigil.v1.Identity/Renew",         "/vigil.v1.Identity/Standing",    "/vigil.v1.Login/StartLogin",
      "/vigil.v1.Login/PollLogin",        "/vigil.v1.Login/RenewLogin"};
  for (const std::string& method : all_methods()) {
    INFO(method);
    const auto need = need_of(method);
    REQUIRE(need);
    if (need->least < Role::operating) CHECK(harmless.contains(method));
  }
}

TEST_CASE("what is no method of ours is nobody's to call, but for health and reflection") {
  for (const char* path :
       {"", "/", "vigil.v1.Fleet/ListHosts", "/vigil.v1.Fleet", "/vigil.v1.Fleet/", "/vigil.v1.Fleet/Nothing",
        "/vigil.v1.Fleet.ListHosts", "/vigil.v2.Fleet/ListHosts", "/google.protobuf.Any/x",
        "/vigil.v1.Fleet/ListHosts/x"}) {
    INFO(path);
    CHECK_FALSE(need_of(path));
  }
  CHECK(need_of("/grpc.health.v1.Health/Check") == kOpen);
  CHECK(need_of("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") == kViewer);
  CHECK(need_of("/vigil.v1.Query/Instant") == kQuery);
  CHECK(need_of("/vigil.v1.Fleet/ListHosts") == kViewer);
  CHECK(need_of("/vigil.v1.Ingest/Stream") == kAgent);
}
