#include "aggregator/status.h"

#include "tests/support/catch.h"

namespace vigil::aggregator {

TEST_CASE("A reload that failed is told, with its first error") {
  CHECK(reload_problem("rules.yml:3:1: grups: unknown key") ==
        "the last reload was refused: rules.yml:3:1: grups: unknown key; the configuration and the rules "
        "before it are in force");
  CHECK(reload_problem("a.yml:1:1: x\na.yml:2:1: y\na.yml:3:1: z") ==
        "the last reload was refused: a.yml:1:1: x (and 2 errors more, in the log); the configuration "
        "and the rules before it are in force");
}

}  // namespace vigil::aggregator
