// The gatekeeper before every gRPC call, whatever service it is for: gRPC asks it before a service hears of
// the call.
#pragma once

#include "aggregator/access/audit.h"
#include "aggregator/access/gatekeeper.h"

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace vigil::aggregator::access {

/// Whether a certificate that a peer shows, in PEM, is still good for calling `method`
/// ("/vigil.v1.Query/Instant"). Errc::permission. Any thread.
using MayCall = std::function<Result<void>(const std::string& certificate, std::string_view method)>;

/// Hears what the guard decides of each call, before its service does. `source`: which connection it came
/// over, as the guard names it. gRPC's threads; must not block.
class CallWatch {
 public:
  virtual ~CallWatch() = default;
  virtual void let_in(const std::string& source, std::string_view method) = 0;
  virtual void refused(const std::string& source) = 0;
};

/// Has `credentials`, which must be of TLS, ask the gatekeeper, who outlives them; before him `may_call`,
/// unless it is empty. `watch` outlives them, too; may be null.
void guard(grpc::ServerCredentials& credentials, Gatekeeper& gatekeeper, MayCall may_call = {},
           CallWatch* watch = nullptr);

/// Plain text, for a port that only callers of this place reach.
std::shared_ptr<grpc::ServerCredentials> plain_credentials(Gatekeeper& gatekeeper, Place place,
                                                           CallWatch* watch = nullptr);

/// gRPC's word for a verdict.
grpc::Status to_status(const Verdict& verdict);
/// What `may_call`, which may be empty, says of the certificate that is shown, if one is.
grpc::Status ask_of_certificate(const MayCall& may_call, const Presented& presented, std::string_view method);

/// "127.0.0.1:4711", "[::1]:4711"; of a socket as gRPC names it.
std::string address_of_call(const grpc::ServerContextBase& context);
/// Which connection a call that was let in came over: as its guard named it to a CallWatch.
std::string source_of_call(const grpc::ServerContextBase& context);
/// What a call that was let in shows, as its guard saw it.
Presented presented_of(const grpc::ServerContextBase& context);
/// Who makes a call that was let in.
Actor actor_of(const Gatekeeper& gatekeeper, const grpc::ServerContextBase& context);
Caller caller_of(const Gatekeeper& gatekeeper, const grpc::ServerContextBase& context);

}  // namespace vigil::aggregator::access
