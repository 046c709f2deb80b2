// routes: the routes of alertmanager.yml, and which of them calendars mute now.
#include "cli/commands/command.h"
#include "cli/commands/route_listing.h"

namespace vigil::cli {

Run declare_routes(CLI::App& app) {
  app.footer(
      "On each level an alert goes to the first route whose matchers match, and to those behind it where it "
      "says (and on). What a calendar mutes is told afterwards, if it fires still.");
  return [](Context& context) -> Result<Exit> {
    const auto routes = context.client->routes();
    if (!routes) return routes.error();
    show(context, routes_listing(*routes));
    return Exit::ok;
  };
}

}  // namespace vigil::cli
