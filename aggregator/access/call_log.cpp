#include "aggregator/access/call_log.h"

#include "aggregator/access/call_guard.h"

#include <google/protobuf/util/json_util.h>

namespace vigil::aggregator::access {

Result<void> CallLog::ready() const {
  return audit == nullptr ? Result<void>() : audit->ready();
}

Actor CallLog::actor(const grpc::ServerContextBase& context) const {
  return gatekeeper == nullptr ? Actor() : actor_of(*gatekeeper, context);
}

Result<void> CallLog::note(const grpc::ServerContextBase& context, Change change) const {
  return note_of(actor(context), std::move(change));
}

Result<void> CallLog::note_of(const Actor& actor, Change change) const {
  return audit == nullptr ? Result<void>() : audit->note(actor, std::move(change));
}

std::string json_of(const google::protobuf::Message& message) {
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  static_cast<void>(google::protobuf::util::MessageToJsonString(message, &json, options));
  return json;
}

}  // namespace vigil::aggregator::access
