#include "aggregator/alerts/routing_file.h"

#include "aggregator/calendar/zones.h"
#include "aggregator/channels/channels.h"
#include "aggregator/rules/file_patterns.h"
#include "common/config/files.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace vigil::alerts {
namespace {

/// Patterns that no file fits: what is no pattern is an error.
void warn_of_missing_templates(const routing::Configuration& configuration,
                               std::vector<std::string>& warnings) {
  for (std::size_t i = 0; i < configuration.templates.size(); ++i) {
    const auto files = rules::matching_files(configuration.templates[i]);
    if (files && files->empty())
      warnings.push_back(configuration.at.say(fmt::format("templates[{}]", i), "no file fits this pattern"));
  }
}

}  // namespace

Result<LoadedRouting> load_routing(const notify::NotificationsConfig& config,
                                   const std::string& external_url) {
  LoadedRouting out;
  const std::string& path = config.alertmanager_file;
  if (path.empty()) return out;
  const auto text = config::read_file(path);
  if (!text) return config.at.wrong("alertmanager_file", text.error().message);
  calendar::Zones zones;
  auto configuration = routing::read_configuration(*text, path, zones);
  if (!configuration) return configuration.error();
  auto endpoints = channels::make_endpoints(*configuration, external_url);
  if (!endpoints) return endpoints.error();
  config::Problems problems;
  for (const notify::ReceiverConfig& receiver : config.receivers) {
    if (std::ranges::any_of(*endpoints, [&](const auto& endpoint) { return endpoint.name == receiver.name; }))
      problems.add(receiver.at.wrong(
          "name",
          fmt::format("{} is the name of a channel of {}, too; choose another", receiver.name, path)));
  }
  if (auto fine = problems.result(); !fine) return fine.error();
  out.endpoints = std::move(*endpoints);
  out.warnings = configuration->warnings;
  warn_of_missing_templates(*configuration, out.warnings);
  auto routing = std::make_shared<Routing>();
  routing->channels = channels::channels_of(*configuration);
  routing->configuration = std::move(*configuration);
  routing->endpoint_name = channels::endpoint_name;
  out.routing = std::move(routing);
  return out;
}

}  // namespace vigil::alerts
