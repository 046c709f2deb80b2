// Notes what gRPC calls change, under the name of who made them.
#pragma once

#include "aggregator/access/audit.h"
#include "aggregator/access/gatekeeper.h"

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <string>

namespace vigil::aggregator::access {

/// Both outlive the services that hold it; null: nothing is noted.
struct CallLog {
  Audit* audit = nullptr;
  const Gatekeeper* gatekeeper = nullptr;

  /// Before a change: whether it can be noted. Errc::unavailable.
  Result<void> ready() const;
  /// After it.
  Result<void> note(const grpc::ServerContextBase& context, Change change) const;
  /// The same, of somebody whom the call does not show.
  Result<void> note_of(const Actor& actor, Change change) const;
  Actor actor(const grpc::ServerContextBase& context) const;
};

/// A message as it stands in the log.
std::string json_of(const google::protobuf::Message& message);

}  // namespace vigil::aggregator::access
