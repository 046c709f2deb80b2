// What a receiver's service keeps of an incident: a message that is changed as things change, with answers
// below it. It begins with the first message of an alert or a group, and is forgotten when that is over.
#pragma once

#include "common/error.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::notify {

struct MessageThread {
  std::string channel;              // where it stands, as the service calls it
  std::string message;              // the first one, as the service calls it
  std::vector<std::string> firing;  // keys of the alerts that it says fire
  friend bool operator==(const MessageThread&, const MessageThread&) = default;
};

/// JSON; decode_thread(encode(t)) == t. Errc::parse on anything else.
std::string encode(const MessageThread& thread);
Result<MessageThread> decode_thread(std::string_view json);

/// The thread of one receiver about one alert or group, as it is from now on.
struct ThreadChange {
  std::string receiver;              // the endpoint's name
  std::string fingerprint;           // of the rows that it is about
  std::optional<MessageThread> now;  // nothing: it is over
  friend bool operator==(const ThreadChange&, const ThreadChange&) = default;
};

}  // namespace vigil::notify
