// vigil.v1.Identity: invitations and certificates. proto/vigil/v1/identity.proto is its documentation.
#pragma once

#include "aggregator/access/call_log.h"
#include "aggregator/identity/authority.h"
#include "aggregator/serve/query_engine.h"
#include "vigil/v1/identity.grpc.pb.h"

#include <functional>
#include <string>

namespace vigil::aggregator {

class IdentityService final : public v1::Identity::CallbackService {
 public:
  /// All outlive the service; `authority` null: there is none, and each call says so. `address` is where
  /// hosts can reach the aggregator.
  IdentityService(QueryEngine& engine, identity::Authority* authority, std::function<std::string()> address,
                  access::CallLog log = {})
      : engine_(engine), authority_(authority), address_(std::move(address)), log_(log) {}

  grpc::ServerUnaryReactor* Invite(grpc::CallbackServerContext* context, const v1::InviteRequest* request,
                                   v1::InviteResponse* response) override;
  grpc::ServerUnaryReactor* ListCertificates(grpc::CallbackServerContext* context,
                                             const v1::ListCertificatesRequest* request,
                                             v1::ListCertificatesResponse* response) override;
  grpc::ServerUnaryReactor* Revoke(grpc::CallbackServerContext* context, const v1::RevokeRequest* request,
                                   v1::RevokeResponse* response) override;
  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context, const v1::EnrollRequest* request,
                                   v1::IssuedCertificate* response) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context, const v1::RenewRequest* request,
                                  v1::IssuedCertificate* response) override;
  grpc::ServerUnaryReactor* IssuePerson(grpc::CallbackServerContext* context,
                                        const v1::IssuePersonRequest* request,
                                        v1::IssuedCertificate* response) override;

 private:
  template <class Work>
  grpc::ServerUnaryReactor* with_authority(grpc::CallbackServerContext* context, Work work);

  QueryEngine& engine_;
  identity::Authority* const authority_;
  const std::function<std::string()> address_;
  const access::CallLog log_;
};

}  // namespace vigil::aggregator
