#include "aggregator/serve/identity_service.h"

#include "aggregator/identity/fence.h"
#include "aggregator/serve/unary.h"
#include "common/clock.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

using std::chrono::milliseconds;

Result<void> put_issued(const Result<identity::Issued>& issued, v1::IssuedCertificate& out) {
  if (!issued) return issued.error();
  out.set_certificate(issued->certificate);
  out.set_authority(issued->authority);
  out.set_name(issued->name);
  out.set_not_after_ms(issued->not_after_ms);
  return {};
}

void put_certificate(const identity::CertificateRow& row, v1::CertificateRecord& out) {
  out.set_serial(row.serial);
  out.set_kind(std::string(to_string(row.kind)));
  out.set_name(row.name);
  out.set_not_before_ms(row.not_before_ms);
  out.set_not_after_ms(row.not_after_ms);
  out.set_revoked_ms(row.revoked_ms);
}

Result<identity::Revoked> revoke_what(identity::Authority& authority, const v1::RevokeRequest& request) {
  if (request.serial().empty() == request.name().empty())
    return fail(Errc::invalid_argument, "give either the name or the serial number of what is to be revoked");
  if (!request.serial().empty()) return authority.revoke_serial(request.serial());
  const auto kind = identity::parse_kind(request.kind());
  if (!kind) return fail(Errc::invalid_argument, "kind must be host or person");
  return authority.revoke(*kind, request.name());
}

}  // namespace

template <class Work>
grpc::ServerUnaryReactor* IdentityService::with_authority(grpc::CallbackServerContext* context, Work work) {
  return answer(
      engine_, context, [this, work = std::move(work)](const QueryEngine::Cancelled&) -> Result<void> {
        if (authority_ != nullptr) return work(*authority_);
        return fail(
            Errc::conflict,
            "this aggregator has no authority of its own: run vigil-aggregator init, leave tls.cert out of "
            "its configuration, and start it anew");
      });
}

grpc::ServerUnaryReactor* IdentityService::Invite(grpc::CallbackServerContext* context,
                                                  const v1::InviteRequest* request,
                                                  v1::InviteResponse* response) {
  return with_authority(
      context, [this, context, request, response](identity::Authority& authority) -> Result<void> {
        if (auto ready = log_.ready(); !ready) return ready;
        const auto replace = request->replace() ? identity::Replace::allowed : identity::Replace::refused;
        const auto invitation = authority.invite(request->name(), milliseconds(request->ttl_ms()), replace);
        if (!invitation) return invitation.error();
        response->set_token(invitation->token);
        response->set_expires_ms(invitation->expires_ms);
        response->set_fingerprint(invitation->fingerprint);
        response->set_address(address_());
        log::info("identity", "a host is invited", {{"host", request->name()}});
        return log_.note(*context, {"host.invite", request->name(), "", access::json_of(*request)});
      });
}

grpc::ServerUnaryReactor* IdentityService::ListCertificates(grpc::CallbackServerContext* context,
                                                            const v1::ListCertificatesRequest* request,
                                                            v1::ListCertificatesResponse* response) {
  return with_authority(context, [request, response](identity::Authority& authority) -> Result<void> {
    const std::int64_t now_ms = wall_ms();
    for (const identity::CertificateRow& row : authority.certificates()) {
      const bool ended = row.revoked_ms != 0 || row.not_after_ms <= now_ms;
      if (!ended || request->ended()) put_certificate(row, *response->add_certificates());
    }
    const auto invites = authority.invites();
    if (!invites) return invites.error();
    for (const identity::InviteRow& row : *invites) {
      v1::PendingInvite& out = *response->add_invites();
      out.set_name(row.name);
      out.set_expires_ms(row.expires_ms);
      out.set_replace(row.replace);
    }
    response->set_fingerprint(authority.own().fingerprint);
    response->set_authority_until_ms(authority.own().not_after_ms);
    return {};
  });
}

grpc::ServerUnaryReactor* IdentityService::Revoke(grpc::CallbackServerContext* context,
                                                  const v1::RevokeRequest* request,
                                                  v1::RevokeResponse* response) {
  return with_authority(
      context, [this, context, request, response](identity::Authority& authority) -> Result<void> {
        if (auto ready = log_.ready(); !ready) return ready;
        const auto revoked = revoke_what(authority, *request);
        if (!revoked) return revoked.error();
        for (const std::string& serial : revoked->serials) response->add_serials(serial);
        response->set_invites(revoked->invites);
        log::info("identity", "revoked",
                  {{"kind", request->kind()},
                   {"name", request->name()},
                   {"certificates", revoked->serials.size()}});
        const std::string& object = request->name().empty() ? request->serial() : request->name();
        return log_.note(*context, {"certificate.revoke", object, access::json_of(*response), ""});
      });
}

grpc::ServerUnaryReactor* IdentityService::Enroll(grpc::CallbackServerContext* context,
                                                  const v1::EnrollRequest* request,
                                                  v1::IssuedCertificate* response) {
  return with_authority(
      context,
      [this, context, peer = context->peer(), request,
       response](identity::Authority& authority) -> Result<void> {
        if (auto ready = log_.ready(); !ready) return ready;
        const auto issued = authority.enroll(request->token(), request->request());
        if (!issued) {
          log::warn("identity", "not enrolled", {{"remote", peer}, {"error", issued.error()}});
          return issued.error();
        }
        log::info("identity", "enrolled", {{"host", issued->name}, {"remote", peer}});
        if (auto put = put_issued(issued, *response); !put) return put;
        return log_.note(*context, {"host.enroll", issued->name, "", ""});
      });
}

grpc::ServerUnaryReactor* IdentityService::Renew(grpc::CallbackServerContext* context,
                                                 const v1::RenewRequest* request,
                                                 v1::IssuedCertificate* response) {
  return with_authority(context,
                        [certificate = identity::peer_certificate(*context->auth_context()), request,
                         response](identity::Authority& authority) -> Result<void> {
                          const auto issued = authority.renew(certificate, request->request());
                          if (issued) log::info("identity", "renewed", {{"host", issued->name}});
                          return put_issued(issued, *response);
                        });
}

grpc::ServerUnaryReactor* IdentityService::IssuePerson(grpc::CallbackServerContext* context,
                                                       const v1::IssuePersonRequest* request,
                                                       v1::IssuedCertificate* response) {
  return with_authority(
      context, [this, context, request, response](identity::Authority& authority) -> Result<void> {
        if (auto ready = log_.ready(); !ready) return ready;
        const auto issued =
            authority.issue_person(request->name(), request->request(), milliseconds(request->life_ms()));
        if (!issued) return issued.error();
        log::info("identity", "a certificate for a person", {{"person", issued->name}});
        if (auto put = put_issued(issued, *response); !put) return put;
        return log_.note(*context, {"certificate.issue", issued->name, "", ""});
      });
}

}  // namespace vigil::aggregator
