// vigil.v1.Identity: invitations and certificates. proto/vigil/v1/identity.proto is its documentation.
#pragma once

#include "aggregator/access/attempts.h"
#include "aggregator/access/call_log.h"
#include "aggregator/identity/authority.h"
#include "aggregator/serve/query_engine.h"
#include "vigil/v1/identity.grpc.pb.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace vigil::aggregator {

/// All outlive the service.
struct IdentitySources {
  QueryEngine& engine;
  identity::Authority* authority;        // null: there is none, and each call says so
  std::function<std::string()> address;  // where hosts can reach the aggregator
  access::CallLog log = {};
  std::function<bool(const std::string&)> is_user = {};  // empty: nobody can say
  std::function<std::int64_t()> now_ms;
  /// As the streams of agents ask; empty: no certificate is asked for.
  std::function<Result<identity::Speaker>(const std::string& certificate, const std::string& host)>
      may_speak = {};
};

class IdentityService final : public v1::Identity::CallbackService {
 public:
  explicit IdentityService(IdentitySources sources) : sources_(std::move(sources)) {}

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
  grpc::ServerUnaryReactor* Standing(grpc::CallbackServerContext* context, const v1::StandingRequest* request,
                                     v1::StandingResponse* response) override;
  grpc::ServerUnaryReactor* IssuePerson(grpc::CallbackServerContext* context,
                                        const v1::IssuePersonRequest* request,
                                        v1::IssuedCertificate* response) override;

 private:
  template <class Work>
  grpc::ServerUnaryReactor* with_authority(grpc::CallbackServerContext* context, Work work);

  void count_against(const std::string& source, identity::Authority& authority, std::string_view token);
  Result<void> refuse_enrolment(const Error& error, const std::string& source);
  Result<void> note_enrolled(const grpc::CallbackServerContext& context, const identity::Enrolled& enrolled);
  std::string hint_for(const std::string& person) const;

  const IdentitySources sources_;
  access::Attempts attempts_{{.what = "invitations"}};
};

}  // namespace vigil::aggregator
