// The kinds of channels, one file each: from a channel of alertmanager.yml to how a request is made. What is
// wrong goes to `making.problems`; what is made then is not used.
#pragma once

#include "aggregator/channels/words.h"
#include "aggregator/notify/endpoint.h"
#include "aggregator/routing/receivers.h"
#include "common/config/fields.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace vigil::channels {

/// What all of them are made with.
struct Making {
  const Library& library;
  const std::string& external_url;
  config::Problems& problems;
};

using Render = std::function<notify::Request(const notify::Shipment& shipment, std::int64_t now_ms)>;

Render make_slack(const routing::SlackChannel& channel, const Making& making);
Render make_email(const routing::EmailChannel& channel, const Making& making);
Render make_webhook(const routing::WebhookChannel& channel, const Making& making);
Render make_pagerduty(const routing::PagerdutyChannel& channel, const Making& making);
Render make_discord(const routing::DiscordChannel& channel, const Making& making);
Render make_telegram(const routing::TelegramChannel& channel, const Making& making);
Render make_teams(const routing::TeamsChannel& channel, const Making& making);
Render make_teams_v2(const routing::TeamsChannel& channel, const Making& making);
Render make_ntfy(const routing::NtfyChannel& channel, const Making& making);
/// To number `number` of its `to`.
Render make_sms(const routing::SmsChannel& channel, std::size_t number, const Making& making);
Render make_command(const routing::CommandChannel& channel, const Making& making);
Render make_alertmanager(const routing::AlertmanagerChannel& channel, const Making& making);

/// Texts of one channel, by the keys it has in the file.
class Texts {
 public:
  Texts(const config::Place& at, const Making& making) : at_(at), making_(making) {}
  /// `fallback` is a text of vigil's own.
  Wording operator()(std::string_view key, const std::optional<std::string>& said,
                     std::string_view fallback = "") const {
    return making_.library.wording(at_, key, said, fallback, making_.problems);
  }

 private:
  const config::Place& at_;
  const Making& making_;
};

}  // namespace vigil::channels
