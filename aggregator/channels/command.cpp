// A program of this machine: the webhook's JSON on its standard input, and a few words of its environment.
// Nothing from outside is an argument, and no shell reads anything.
#include "aggregator/channels/backlog.h"
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/channels/payload.h"
#include "aggregator/notify/text.h"
#include "common/process/program.h"

#include <boost/json.hpp>
#include <utility>

namespace vigil::channels {
namespace {

/// Far below what one text of an environment may have, 128 KiB.
constexpr std::size_t kVariableBytes = 4'096;

/// Without control characters: what is read by lines stays one.
std::string variable(std::string_view name, std::string_view value) {
  return fmt::format("{}={}", name, notify::one_line(notify::cut(value, kVariableBytes)));
}

std::vector<std::string> environment_of(const Told& told, const std::string& external_url) {
  const notify::Group& group = told.group;
  return {kProgramPath,
          "LANG=C.UTF-8",
          variable("VIGIL_STATUS", is_firing(group) ? "firing" : "resolved"),
          variable("VIGIL_SEVERITY", to_string(notify::parse_severity(worst_of(group).severity))),
          variable("VIGIL_RECEIVER", group.receiver),
          variable("VIGIL_GROUP_KEY", group.key),
          variable("VIGIL_IDEMPOTENCY_KEY", told.shipment.key()),
          variable("VIGIL_EXTERNAL_URL", external_url)};
}

}  // namespace

Render make_command(const routing::CommandChannel& channel, const Making& making) {
  const Site site{channel.at, making.problems};
  notify::Request base;
  base.protocol = notify::Protocol::command;
  base.command = channel.command;
  base.timeout = channel.timeout;
  if (!base.command.empty()) {
    if (const auto fault = fault_of_program(base.command.front()); !fault.empty())
      site.wrong("command[0]", fmt::format("{} {}", base.command.front(), fault));
  }
  return [base, external_url = making.external_url](const notify::Shipment& shipment, std::int64_t now_ms) {
    const Told told(shipment, now_ms, external_url);
    notify::Request request = base;
    request.environment = environment_of(told, external_url);
    request.body = boost::json::serialize(payload_v4(told, external_url, 0));
    return request;
  };
}

}  // namespace vigil::channels
