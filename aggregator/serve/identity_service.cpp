#include "aggregator/serve/identity_service.h"

#include "aggregator/access/call_guard.h"
#include "aggregator/identity/fence.h"
#include "aggregator/serve/unary.h"
#include "common/log/log.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>

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
  out.set_issued_ms(identity::made_at({row.not_before_ms, row.not_after_ms}));
}

Result<identity::Revoked> revoke_what(identity::Authority& authority, const v1::RevokeRequest& request) {
  const int said =
      int{!request.serial().empty()} + int{!request.name().empty()} + int{!request.invitation().empty()};
  if (said != 1)
    return fail(
        Errc::invalid_argument,
        "one of these says what is to be revoked: a name, the serial number of a certificate, the id of "
        "an invitation");
  if (request.readmit() && request.name().empty())
    return fail(Errc::invalid_argument, "readmit: name the host");
  if (!request.serial().empty()) return authority.revoke_serial(request.serial());
  if (!request.invitation().empty()) return authority.revoke_invitation(request.invitation());
  const auto kind = identity::parse_kind(request.kind());
  if (!kind) return fail(Errc::invalid_argument, "kind must be host or person");
  if (request.readmit() && *kind != identity::Kind::host)
    return fail(Errc::invalid_argument, "readmit is for hosts");
  if (request.readmit()) return authority.readmit(request.name());
  return authority.revoke(*kind, request.name());
}

namespace json = boost::json;

/// Who it is, as the log of changes shows it.
std::string words_for(const access::Actor& actor) {
  const std::string kind(to_string(actor.kind));
  return actor.name.empty() ? kind : kind + ' ' + actor.name;
}

// What the log of changes keeps; no secrets.
std::string text_of(const identity::Invitation& invitation, const v1::InviteRequest& request) {
  json::object text{
      {"invitation", invitation.id}, {"expires_ms", invitation.expires_ms}, {"replace", request.replace()}};
  if (!request.pattern().empty()) text["uses"] = request.uses();
  return json::serialize(text);
}

Result<identity::Invitation> invite(identity::Authority& authority, const v1::InviteRequest& request,
                                    const std::string& made_by) {
  const milliseconds ttl(request.ttl_ms());
  const std::int32_t uses = request.uses() == 0 ? 1 : request.uses();
  if (request.pattern().empty()) {
    if (uses != 1)
      return fail(Errc::invalid_argument, "uses: a name is one host's: --name-pattern is for several");
    const auto replace = request.replace() ? identity::Replace::allowed : identity::Replace::refused;
    return authority.invite(request.name(), ttl, replace, made_by);
  }
  if (!request.name().empty())
    return fail(Errc::invalid_argument, "either the name of a host, or a pattern for those of many");
  if (request.replace())
    return fail(Errc::invalid_argument,
                "replace: who has the token of an invitation for many could take any host's place with it; "
                "vigil agent readmit NAME lets one host come again");
  return authority.invite_many({request.pattern(), uses}, ttl, made_by);
}

std::string text_of(const identity::Issued& issued) {
  return json::serialize(json::object{{"serial", issued.serial}, {"not_after_ms", issued.not_after_ms}});
}

std::string text_of(const identity::Enrolled& enrolled) {
  json::object text{{"invited_by", enrolled.invited_by},
                    {"invitation", enrolled.invitation},
                    {"serial", enrolled.issued.serial},
                    {"not_after_ms", enrolled.issued.not_after_ms}};
  if (enrolled.again) text["again"] = true;  // the answer was given before, and perhaps got lost
  return json::serialize(text);
}

std::string text_of(const tls::CertificateInfo& certificate) {
  return json::serialize(
      json::object{{"serial", certificate.serial}, {"not_after_ms", certificate.not_after_ms}});
}

std::string text_of(const std::vector<std::string>& serials) {
  return serials.empty() ? "" : json::serialize(json::object{{"serials", json::value_from(serials)}});
}

}  // namespace

template <class Work>
grpc::ServerUnaryReactor* IdentityService::with_authority(grpc::CallbackServerContext* context, Work work) {
  return answer(sources_.engine, context,
                [this, work = std::move(work)](const QueryEngine::Cancelled&) -> Result<void> {
                  if (sources_.authority != nullptr) return work(*sources_.authority);
                  return fail(
                      Errc::conflict,
                      "this aggregator has no authority of its own: run vigil-aggregator init for "
                      "its data folder, leave tls.cert out of "
                      "its configuration, and start it anew. Who has a certificate of the authority "
                      "in tls.client_ca is shut out by access.certificates: {{NAME: none}} and a new start");
                });
}

grpc::ServerUnaryReactor* IdentityService::Invite(grpc::CallbackServerContext* context,
                                                  const v1::InviteRequest* request,
                                                  v1::InviteResponse* response) {
  return with_authority(
      context, [this, context, request, response](identity::Authority& authority) -> Result<void> {
        if (auto ready = sources_.log.ready(); !ready) return ready;
        const auto invitation = invite(authority, *request, words_for(sources_.log.actor(*context)));
        if (!invitation) return invitation.error();
        response->set_token(invitation->token);
        response->set_expires_ms(invitation->expires_ms);
        response->set_fingerprint(invitation->fingerprint);
        response->set_address(sources_.address());
        for (std::string& host : authority.server_names()) response->add_hosts(std::move(host));
        const std::string& whom = request->pattern().empty() ? request->name() : request->pattern();
        log::info("identity", "invited", {{"host", whom}, {"invitation", invitation->id}});
        return sources_.log.note(*context, {"host.invite", whom, "", text_of(*invitation, *request)});
      });
}

grpc::ServerUnaryReactor* IdentityService::ListCertificates(grpc::CallbackServerContext* context,
                                                            const v1::ListCertificatesRequest* request,
                                                            v1::ListCertificatesResponse* response) {
  return with_authority(context, [this, request, response](identity::Authority& authority) -> Result<void> {
    const std::int64_t now_ms = sources_.now_ms();
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
      out.set_id(row.id());
      out.set_made_by(row.made_by);
      out.set_uses(row.uses);
      out.set_used(static_cast<std::uint32_t>(row.used));
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
        if (auto ready = sources_.log.ready(); !ready) return ready;
        const auto revoked = revoke_what(authority, *request);
        if (!revoked) return revoked.error();
        for (const std::string& serial : revoked->serials) response->add_serials(serial);
        response->set_invites(revoked->invites);
        const std::string object =
            request->name() + request->serial() + request->invitation();  // one is said
        log::info(
            "identity", request->readmit() ? "readmitted" : "revoked",
            {{"what", object}, {"certificates", revoked->serials.size()}, {"invitations", revoked->invites}});
        const std::string_view what = request->readmit()              ? "host.readmit"
                                      : request->invitation().empty() ? "certificate.revoke"
                                                                      : "invitation.revoke";
        return sources_.log.note(*context, {what, object, access::json_of(*response), ""});
      });
}

/// Anybody may call this, so it is limited before it costs anything.
grpc::ServerUnaryReactor* IdentityService::Enroll(grpc::CallbackServerContext* context,
                                                  const v1::EnrollRequest* request,
                                                  v1::IssuedCertificate* response) {
  const std::string source = access::source_of(sources_.log.actor(*context).from);
  if (const auto begun = attempts_.begin(source, sources_.now_ms()); !begun) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(to_grpc(refuse_enrolment(begun.error(), source).error()));
    return reactor;
  }
  return with_authority(
      context, [this, context, source, request, response](identity::Authority& authority) -> Result<void> {
        if (auto ready = sources_.log.ready(); !ready) return ready;
        const auto enrolled = authority.enroll({request->token(), request->request(), request->name()});
        if (!enrolled) {
          if (enrolled.error().code == Errc::permission) count_against(source, authority, request->token());
          return refuse_enrolment(enrolled.error(), source);
        }
        log::info(
            "identity", "enrolled",
            {{"host", enrolled->issued.name}, {"remote", source}, {"invitation", enrolled->invitation}});
        if (auto put = put_issued(enrolled->issued, *response); !put) return put;
        return note_enrolled(*context, *enrolled);
      });
}

/// Hosts of a DaemonSet come with the invitation they have, also when it is over: that is no guess, and must
/// keep no other host of their address out.
void IdentityService::count_against(const std::string& source, identity::Authority& authority,
                                    std::string_view token) {
  if (authority.has_made(token)) return attempts_.over(source, sources_.now_ms());
  attempts_.wrong(source, sources_.now_ms());
}

Result<void> IdentityService::refuse_enrolment(const Error& error, const std::string& source) {
  const std::int64_t now_ms = sources_.now_ms();
  const bool is_wrong = error.code == Errc::permission;
  if (sources_.log.gatekeeper != nullptr && (is_wrong || error.code == Errc::limit))
    sources_.log.gatekeeper->count_refusal(is_wrong ? access::Verdict::Answer::unauthenticated
                                                    : access::Verdict::Answer::too_many);
  if (const auto left_out = attempts_.line(now_ms))
    log::warn("identity", "not enrolled",
              {{"remote", source}, {"error", error}, {"more_not_logged", *left_out}});
  return error;
}

/// Who enrolls has shown nothing but the invitation: so that is who it is, and it says whose word it has.
Result<void> IdentityService::note_enrolled(const grpc::CallbackServerContext& context,
                                            const identity::Enrolled& enrolled) {
  const access::Actor actor{access::Caller::Kind::invitation, enrolled.invitation,
                            sources_.log.actor(context).from};
  return sources_.log.note_of(
      actor, {"host.enroll", enrolled.issued.name, text_of(enrolled.replaced), text_of(enrolled)});
}

grpc::ServerUnaryReactor* IdentityService::Renew(grpc::CallbackServerContext* context,
                                                 const v1::RenewRequest* request,
                                                 v1::IssuedCertificate* response) {
  return with_authority(
      context,
      [this, context, certificate = identity::peer_certificate(*context->auth_context()), request,
       response](identity::Authority& authority) -> Result<void> {
        if (auto ready = sources_.log.ready(); !ready) return ready;
        const auto issued = authority.renew(certificate, request->request());
        if (auto put = put_issued(issued, *response); !put) return put;
        log::info("identity", "renewed", {{"host", issued->name}});
        const auto before = tls::read_certificate(certificate);
        return sources_.log.note(
            *context, {"certificate.renew", issued->name, before ? text_of(*before) : "", text_of(*issued)});
      });
}

grpc::ServerUnaryReactor* IdentityService::Standing(grpc::CallbackServerContext* context,
                                                    const v1::StandingRequest* request,
                                                    v1::StandingResponse* response) {
  if (sources_.log.gatekeeper != nullptr) {
    const auto verdict = sources_.log.gatekeeper->check_again(access::presented_of(*context), access::kAgent);
    if (verdict.answer != access::Verdict::Answer::yes) {
      grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
      reactor->Finish(access::to_status(verdict));
      return reactor;
    }
  }
  return answer(sources_.engine, context,
                [this, certificate = identity::peer_certificate(*context->auth_context()), request,
                 response](const QueryEngine::Cancelled&) -> Result<void> {
                  if (!sources_.may_speak) return {};
                  const auto speaker = sources_.may_speak(certificate, request->name());
                  if (!speaker) return speaker.error();
                  response->set_not_after_ms(speaker->not_after_ms);
                  return {};
                });
}

std::string IdentityService::hint_for(const std::string& person) const {
  if (!sources_.is_user || sources_.is_user(person)) return "";
  return fmt::format(
      "there is no user {0}, so the certificate may do nothing yet: vigil user add {0} --role viewer "
      "--no-password",
      person);
}

grpc::ServerUnaryReactor* IdentityService::IssuePerson(grpc::CallbackServerContext* context,
                                                       const v1::IssuePersonRequest* request,
                                                       v1::IssuedCertificate* response) {
  return with_authority(
      context, [this, context, request, response](identity::Authority& authority) -> Result<void> {
        if (auto ready = sources_.log.ready(); !ready) return ready;
        const auto issued =
            authority.issue_person(request->name(), request->request(), milliseconds(request->life_ms()));
        if (!issued) return issued.error();
        log::info("identity", "a certificate for a person", {{"person", issued->name}});
        response->set_hint(hint_for(issued->name));
        if (auto put = put_issued(issued, *response); !put) return put;
        return sources_.log.note(*context, {"certificate.issue", issued->name, "", text_of(*issued)});
      });
}

}  // namespace vigil::aggregator
