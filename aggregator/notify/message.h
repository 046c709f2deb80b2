// From notifications to what goes over the wire, one function per kind of receiver. Pure: the same shipment
// gives the same bytes.
#pragma once

#include "aggregator/notify/config.h"
#include "aggregator/notify/lane.h"

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::notify {

/// Text in JSON for Slack's incoming webhooks: headline, then an attachment in the severity's colour.
std::string render_slack(const Shipment& shipment, const SlackConfig& config);

/// The same without the channel, before it is text.
boost::json::object slack_body(const Shipment& shipment);

/// The same for a single alert.
boost::json::object slack_message(const Notification& note);
/// Of several, in the colour of the worst; `link` leads to all of them, "" nowhere.
boost::json::object slack_list(const Group& group, const Notification& worst, std::string_view link);

/// What changed since an earlier message.
struct SlackChange {
  std::vector<Notification> alerts;  // those that began to fire, then those that are over; not empty
  std::size_t begun = 0;             // how many of them began
  bool is_over = false;              // nothing fires any more
};
boost::json::object slack_change(const SlackChange& change);

/// The documented JSON of the generic webhook, version 1.
std::string render_webhook(const Shipment& shipment, const std::string& receiver);

/// A whole message of RFC 5322: headers, a text part and an HTML part. `now_ms` is its date.
std::string render_email(const Shipment& shipment, const EmailConfig& config, std::int64_t now_ms);

/// The HTML part alone.
std::string render_email_html(const Shipment& shipment);

/// "ops@example.org" of "Ops <ops@example.org>"; "" when it is no address.
std::string address_of(std::string_view text);

}  // namespace vigil::notify
