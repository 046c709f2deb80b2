// All of alertmanager.yml, understood: what the routing of alerts needs to know. A value; made anew on
// reload.
#pragma once

#include "aggregator/calendar/zones.h"
#include "aggregator/routing/inhibit_rules.h"
#include "aggregator/routing/receivers.h"
#include "aggregator/routing/route.h"
#include "common/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::routing {

struct Configuration {
  Route root;
  std::vector<Receiver> receivers;
  std::vector<InhibitRule> inhibit_rules;
  Calendars calendars;
  config::Place at;                    // of the file
  std::vector<std::string> templates;  // paths, with wildcards in the last part
  /// "file:line:column: key: what of it has no effect, and why".
  std::vector<std::string> warnings;
};

/// `name` is the file's path: it stands in messages, and paths in the file begin at its folder. Names all
/// errors at once, one a line. Secret files are not read, nor are templates.
Result<Configuration> read_configuration(std::string_view text, std::string name, calendar::Zones& zones);

}  // namespace vigil::routing
