// vigil.v1.Access: tokens, users and the log of changes. proto/vigil/v1/access.proto is its documentation.
// Passwords are hashed on a thread of its own.
#pragma once

#include "aggregator/access/accounts.h"
#include "aggregator/access/audit.h"
#include "aggregator/access/call_log.h"
#include "aggregator/identity/authority.h"
#include "aggregator/serve/query_engine.h"
#include "common/threads/worker.h"
#include "vigil/v1/access.grpc.pb.h"

#include <cstdint>
#include <functional>

namespace vigil::aggregator {

/// What the service is made of; all of it outlives the service.
struct AccessSources {
  QueryEngine& engine;
  access::Accounts& accounts;
  access::Audit& audit;
  access::CallLog log;
  std::function<std::int64_t()> now_ms;
  identity::Authority* authority = nullptr;  // null: there is none
};

class AccessService final : public v1::Access::CallbackService {
 public:
  explicit AccessService(AccessSources sources);
  /// Once no more calls come.
  void stop() { hashing_.stop(); }

  grpc::ServerUnaryReactor* WhoAmI(grpc::CallbackServerContext* context, const v1::WhoAmIRequest* request,
                                   v1::WhoAmIResponse* response) override;
  grpc::ServerUnaryReactor* CreateToken(grpc::CallbackServerContext* context,
                                        const v1::CreateTokenRequest* request,
                                        v1::CreateTokenResponse* response) override;
  grpc::ServerUnaryReactor* ListTokens(grpc::CallbackServerContext* context,
                                       const v1::ListTokensRequest* request,
                                       v1::ListTokensResponse* response) override;
  grpc::ServerUnaryReactor* RevokeToken(grpc::CallbackServerContext* context,
                                        const v1::RevokeTokenRequest* request,
                                        v1::RevokeTokenResponse* response) override;
  grpc::ServerUnaryReactor* PutUser(grpc::CallbackServerContext* context, const v1::PutUserRequest* request,
                                    v1::PutUserResponse* response) override;
  grpc::ServerUnaryReactor* ListUsers(grpc::CallbackServerContext* context,
                                      const v1::ListUsersRequest* request,
                                      v1::ListUsersResponse* response) override;
  grpc::ServerUnaryReactor* RemoveUser(grpc::CallbackServerContext* context,
                                       const v1::RemoveUserRequest* request,
                                       v1::RemoveUserResponse* response) override;
  grpc::ServerUnaryReactor* ListAudit(grpc::CallbackServerContext* context,
                                      const v1::ListAuditRequest* request,
                                      v1::ListAuditResponse* response) override;

 private:
  Result<void> revoke_certificates(const std::string& person, const grpc::CallbackServerContext& context);

  const AccessSources sources_;
  Worker hashing_{"hashing", 16};
};

}  // namespace vigil::aggregator
