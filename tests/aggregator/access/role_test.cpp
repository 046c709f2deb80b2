#include "aggregator/access/role.h"

#include "tests/support/catch.h"

using namespace vigil::aggregator::access;

namespace {

Caller with(Role role, Area scope = Area::other) {
  return {Caller::Kind::token, "x", role, scope};
}

}  // namespace

TEST_CASE("each role may what those below it may, and an agent delivers only") {
  struct Case {
    Role role;
    bool open, agent, viewer, operating, admin;
  };
  const auto each = GENERATE(values<Case>({{Role::none, true, false, false, false, false},
                                           {Role::agent, true, true, false, false, false},
                                           {Role::viewer, true, false, true, false, false},
                                           {Role::operating, true, false, true, true, false},
                                           {Role::admin, true, true, true, true, true}}));
  INFO(to_string(each.role));
  CHECK(may(with(each.role), kOpen) == each.open);
  CHECK(may(with(each.role), kAgent) == each.agent);
  CHECK(may(with(each.role), kViewer) == each.viewer);
  CHECK(may(with(each.role), kQuery) == each.viewer);
  CHECK(may(with(each.role), kMetrics) == each.viewer);
  CHECK(may(with(each.role), kOperator) == each.operating);
  CHECK(may(with(each.role), kRemoteWrite) == each.operating);
  CHECK(may(with(each.role), kAdmin) == each.admin);
}

TEST_CASE("a scope is all that its token may, whatever role stands beside it") {
  for (const Role role : {Role::none, Role::admin}) {
    CHECK(may(with(role, Area::query), kQuery));
    CHECK_FALSE(may(with(role, Area::query), kViewer));
    CHECK_FALSE(may(with(role, Area::query), kAdmin));
    CHECK_FALSE(may(with(role, Area::query), kAgent));
    CHECK(may(with(role, Area::remote_write), kRemoteWrite));
    CHECK_FALSE(may(with(role, Area::remote_write), kQuery));
    CHECK(may(with(role, Area::metrics), kMetrics));
    CHECK_FALSE(may(with(role, Area::metrics), kRemoteWrite));
  }
}

TEST_CASE("people give all roles but that of an agent, and words are read as they are written") {
  CHECK(role_of("operator") == Role::operating);
  CHECK(role_of("none") == Role::none);
  CHECK_FALSE(role_of("agent"));
  CHECK_FALSE(role_of("Admin"));
  CHECK_FALSE(role_of(""));
  CHECK(area_of("") == Area::other);
  CHECK(area_of(to_string(Area::remote_write)) == Area::remote_write);
  CHECK_FALSE(area_of("all"));
}
