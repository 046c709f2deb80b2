// The channels of alertmanager.yml, ready to be told of groups of alerts: from a receiver's configuration to
// endpoints of the notifier.
//
//   slack[0], email[0] ...   a channel's name within its receiver
//   sms[0].to[1]             each number is a channel of its own: what one refuses, others have all the same
//   ops/slack[0]             an endpoint's name: as rows of the outbox have it
#pragma once

#include "aggregator/notify/endpoint.h"
#include "aggregator/routing/configuration.h"
#include "aggregator/routing/group_book.h"
#include "common/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::channels {

std::string endpoint_name(std::string_view receiver, std::string_view channel);

/// Who is told what, for the book of groups. Receivers without channels have none.
routing::Channels channels_of(const routing::Configuration& configuration);

/// One for each channel. Reads secrets, certificates and template files, and parses all texts: every error at
/// once, with its place. `external_url` is the dashboard's; "" for no links.
Result<std::vector<notify::Endpoint>> make_endpoints(const routing::Configuration& configuration,
                                                     const std::string& external_url);

}  // namespace vigil::channels
