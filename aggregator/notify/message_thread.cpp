#include "aggregator/notify/message_thread.h"

#include "aggregator/notify/json_parts.h"

namespace vigil::notify {

std::string encode(const MessageThread& thread) {
  return boost::json::serialize(
      boost::json::object{{"channel", thread.channel},
                          {"message", thread.message},
                          {"firing", boost::json::array(thread.firing.begin(), thread.firing.end())}});
}

Result<MessageThread> decode_thread(std::string_view json) {
  const auto parsed = parse_object(json, "thread of messages");
  if (!parsed) return parsed.error();
  MessageThread thread{text_at(*parsed, "channel"), text_at(*parsed, "message"), texts_at(*parsed, "firing")};
  if (thread.channel.empty() || thread.message.empty())
    return fail(Errc::parse, "thread of messages: without channel or message");
  return thread;
}

}  // namespace vigil::notify
