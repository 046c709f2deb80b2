#include "aggregator/channels/channels.h"

#include "aggregator/channels/kinds.h"
#include "aggregator/notify/requests.h"

#include <chrono>
#include <functional>
#include <utility>

namespace vigil::channels {
namespace {

/// Channels of one kind that nothing is wrong with as such.
template <class Channel>
bool sends(const Channel& /*channel*/) {
  return true;
}
/// Without a key of Events API v2 nothing is sent.
bool sends(const routing::PagerdutyChannel& channel) {
  return !channel.routing_key.empty();
}

/// Four times before it takes them for over: what a restart or a slow disk delays does no harm.
constexpr int kRemindersUntilOver = 4;

template <class Channel>
std::chrono::milliseconds remind_of(const Channel& /*channel*/) {
  return std::chrono::milliseconds(0);
}
std::chrono::milliseconds remind_of(const routing::AlertmanagerChannel& channel) {
  return channel.valid_for / kRemindersUntilOver;
}

/// What a service says it takes, for as long as it may be: so many messages at once, then one every so often.
/// One that is told more answers 429, which counts as a failure and is no reason to hurry either.
struct Pace {
  int burst = 0;  // 0: whatever comes
  std::chrono::milliseconds every{1'000};
};

template <class Channel>
Pace pace_of(const Channel& /*channel*/) {
  return {};
}
Pace pace_of(const routing::SlackChannel& /*channel*/) {
  return {.burst = notify::kSlackBurst};
}
/// Five within two seconds.
Pace pace_of(const routing::DiscordChannel& /*channel*/) {
  return {.burst = 3};
}
/// One a second to a person, twenty a minute to a group, whose id is negative.
Pace pace_of(const routing::TelegramChannel& channel) {
  if (channel.chat_id < 0) return {.burst = 5, .every = std::chrono::seconds(4)};
  return {.burst = 1};
}
/// Four a second.
Pace pace_of(const routing::TeamsChannel& /*channel*/) {
  return {.burst = 3};
}
/// 120 a minute of one integration key.
Pace pace_of(const routing::PagerdutyChannel& /*channel*/) {
  return {.burst = 60};
}
/// Each costs money and rings a phone.
Pace pace_of(const routing::SmsChannel& /*channel*/) {
  return {.burst = 5};
}

/// Calls visit(channel, kind, name, make) for each channel of a receiver that sends, in the order of the
/// file.
template <class Visit>
void each_channel(const routing::Receiver& receiver, const Visit& visit) {
  const auto all = [&visit](const auto& channels, std::string_view kind, auto make) {
    for (std::size_t i = 0; i < channels.size(); ++i) {
      if (sends(channels[i])) visit(channels[i], kind, fmt::format("{}[{}]", kind, i), make);
    }
  };
  all(receiver.slack, "slack", make_slack);
  all(receiver.email, "email", make_email);
  all(receiver.webhook, "webhook", make_webhook);
  all(receiver.pagerduty, "pagerduty", make_pagerduty);
  all(receiver.discord, "discord", make_discord);
  all(receiver.telegram, "telegram", make_telegram);
  all(receiver.teams, "msteams", make_teams);
  all(receiver.teams_v2, "msteamsv2", make_teams_v2);
  all(receiver.ntfy, "ntfy", make_ntfy);
  for (std::size_t i = 0; i < receiver.sms.size(); ++i) {
    for (std::size_t j = 0; j < receiver.sms[i].to.size(); ++j) {
      visit(receiver.sms[i], "sms", fmt::format("sms[{}].to[{}]", i, j),
            [j](const routing::SmsChannel& channel, const Making& making) {
              config::Problems said_of_the_first;
              return make_sms(
                  channel, j,
                  {making.library, making.external_url, j == 0 ? making.problems : said_of_the_first});
            });
    }
  }
  all(receiver.command, "command", make_command);
  all(receiver.alertmanager, "alertmanager", make_alertmanager);
}

}  // namespace

std::string endpoint_name(std::string_view receiver, std::string_view channel) {
  return fmt::format("{}/{}", receiver, channel);
}

routing::Channels channels_of(const routing::Configuration& configuration) {
  routing::Channels out;
  for (const routing::Receiver& receiver : configuration.receivers) {
    auto& channels = out[receiver.name];
    each_channel(receiver,
                 [&](const auto& channel, std::string_view /*kind*/, std::string name, auto /*make*/) {
                   channels.push_back({std::move(name), channel.send_resolved,
                                       receiver.critical_only.value_or(false), remind_of(channel)});
                 });
  }
  return out;
}

Result<std::vector<notify::Endpoint>> make_endpoints(const routing::Configuration& configuration,
                                                     const std::string& external_url) {
  config::Problems problems;
  const auto loaded = Library::load(configuration.templates);
  problems.add(loaded);
  // Without them texts that call them would be wrong, too, and say so at length.
  if (!loaded) return loaded.error();
  std::vector<notify::Endpoint> out;
  for (const routing::Receiver& receiver : configuration.receivers) {
    each_channel(receiver,
                 [&](const auto& channel, std::string_view kind, const std::string& name, auto make) {
                   notify::Endpoint& endpoint = out.emplace_back();
                   endpoint.name = endpoint_name(receiver.name, name);
                   endpoint.kind = kind;
                   endpoint.takes_groups = true;
                   endpoint.send_resolved = channel.send_resolved;
                   const Pace pace = pace_of(channel);
                   endpoint.burst = pace.burst;
                   endpoint.every = pace.every;
                   endpoint.render = make(channel, Making{*loaded, external_url, problems});
                 });
  }
  if (auto fine = problems.result(); !fine) return fine.error();
  return out;
}

}  // namespace vigil::channels
