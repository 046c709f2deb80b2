// Reading alertmanager.yml in tests.
#pragma once

#include "aggregator/routing/configuration.h"
#include "tests/support/catch.h"

#include <string>
#include <string_view>

namespace vigil::routing {

inline Configuration configuration(std::string_view text) {
  calendar::Zones zones;
  auto read = read_configuration(text, "/etc/am/alertmanager.yml", zones);
  REQUIRE(read);
  return std::move(*read);
}

/// A route tree with receivers a to d; `routes` is indented by four.
inline Configuration tree(const std::string& routes) {
  return configuration("route:\n  receiver: a\n  routes:\n" + routes +
                       "receivers: [{name: a}, {name: b}, {name: c}, {name: d}]\n");
}

}  // namespace vigil::routing
