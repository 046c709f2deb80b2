// Slack's Web API, where a bot writes with a token: an incident is one message that is kept as things are,
// with a reply in its thread for each change.
//
//   nobody was told yet     chat.postMessage; the answer says where the message stands
//   later                   chat.update of that message, then a reply in its thread
//   all is over             the same, and the thread is forgotten
//   it cannot be changed    a new message: somebody removed it, or its channel, or another bot wrote it
//
// The update may be repeated, the reply may not: it is the last request, so that what fails, and is tried
// again as a whole, has not been said yet. Replies about what begins to fire, and reminders, are shown in the
// channel, too, since those who do not follow the thread must see them; that something is over is not.
#pragma once

#include "aggregator/notify/endpoint.h"
#include "aggregator/notify/lane.h"
#include "aggregator/notify/notification.h"

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::notify {

/// "https://slack.com/api" of "https://slack.com/api/chat.postMessage"; nothing when it is no such address.
std::optional<std::string> slack_api_of(std::string_view url);

struct SlackBot {
  std::string api;          // the address that methods stand behind
  Request base;             // what requests have in common: the header with the token, certificates
  bool has_threads = true;  // false: each message stands by itself, since nobody says when it is over
};

/// `message` says how all of `alerts` are, and names the channel.
Request slack_request(const SlackBot& bot, const Shipment& shipment, boost::json::object message,
                      const std::vector<Notification>& alerts);

}  // namespace vigil::notify
