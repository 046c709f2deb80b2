#include "aggregator/serve/access_service.h"

#include "aggregator/access/call_guard.h"
#include "aggregator/access/secrets.h"
#include "aggregator/serve/unary.h"
#include "vigil/v1/identity.pb.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

using NotCancelled = QueryEngine::Cancelled;

constexpr std::uint32_t kUsualEntries = 1'000;
constexpr std::uint32_t kMostEntries = 10'000;
constexpr std::int64_t kLongestTokenMs = 3'650LL * 86'400'000;

void put_token(const access::Token& token, v1::Token& out) {
  out.set_name(token.name);
  out.set_role(std::string(to_string(token.role)));
  out.set_scope(std::string(to_string(token.scope)));
  out.set_created_ms(token.created_ms);
  out.set_expires_ms(token.expires_ms);
  out.set_last_used_day_ms(token.last_used_day_ms);
  out.set_created_by(token.created_by);
}

void put_entry(const access::AuditEntry& entry, v1::AuditEntry& out) {
  out.set_id(static_cast<std::uint64_t>(entry.id));
  out.set_at_ms(entry.at_ms);
  out.set_kind(std::string(to_string(entry.actor.kind)));
  out.set_who(entry.actor.name);
  out.set_from(entry.actor.from);
  out.set_what(entry.what);
  out.set_object(entry.object);
  out.set_before(entry.before);
  out.set_after(entry.after);
}

Result<access::Role> wanted_role(const std::string& word) {
  const auto role = access::role_of(word);
  if (role && *role != access::Role::none) return *role;
  return fail(Errc::invalid_argument, "role: '{}' is none; viewer, operator or admin", word);
}

/// What a client wants, but for its text.
Result<access::Token> wanted_token(const v1::CreateTokenRequest& request, std::int64_t now_ms) {
  access::Token token;
  token.name = request.name();
  const auto scope = access::area_of(request.scope());
  if (!scope)
    return fail(Errc::invalid_argument, "scope: '{}' is none; query, remote_write or metrics",
                request.scope());
  token.scope = *scope;
  if (*scope != access::Area::other && !request.role().empty())
    return fail(Errc::invalid_argument, "role and scope: a token for one thing only has no role besides");
  if (*scope == access::Area::other) {
    const auto role = wanted_role(request.role());
    if (!role) return role.error();
    token.role = *role;
  }
  if (request.valid_ms() < 0 || request.valid_ms() > kLongestTokenMs)
    return fail(Errc::invalid_argument, "valid_ms: must be 0 to ten years");
  if (request.valid_ms() > 0) token.expires_ms = now_ms + request.valid_ms();
  return token;
}

Result<access::UserChange> wanted_user(const v1::PutUserRequest& request) {
  access::UserChange change;
  change.name = request.name();
  change.create = request.create();
  if (!request.role().empty()) {
    const auto role = wanted_role(request.role());
    if (!role) return role.error();
    change.role = *role;
  }
  if (request.password().empty()) return change;
  if (auto fine = access::check_password(request.password()); !fine) return fine.error();
  auto hash = access::hash_password(request.password());
  if (!hash) return hash.error();
  change.password = std::move(*hash);
  return change;
}

}  // namespace

AccessService::AccessService(AccessSources sources) : sources_(std::move(sources)) {
  hashing_.start();
}

grpc::ServerUnaryReactor* AccessService::WhoAmI(grpc::CallbackServerContext* context,
                                                const v1::WhoAmIRequest*, v1::WhoAmIResponse* response) {
  return answer(sources_.engine, context, [this, context, response](const NotCancelled&) -> Result<void> {
    const access::Caller caller = access::caller_of(*sources_.log.gatekeeper, *context);
    response->set_kind(std::string(to_string(caller.kind)));
    response->set_name(caller.name);
    response->set_role(std::string(to_string(caller.role)));
    response->set_scope(std::string(to_string(caller.scope)));
    return {};
  });
}

grpc::ServerUnaryReactor* AccessService::CreateToken(grpc::CallbackServerContext* context,
                                                     const v1::CreateTokenRequest* request,
                                                     v1::CreateTokenResponse* response) {
  return answer(sources_.engine, context,
                [this, context, request, response](const NotCancelled&) -> Result<void> {
                  auto token = wanted_token(*request, sources_.now_ms());
                  if (!token) return token.error();
                  const access::Actor actor = sources_.log.actor(*context);
                  auto text = sources_.accounts.create_token(*token, actor);
                  if (!text) return text.error();
                  response->set_token(std::move(*text));
                  const auto all = sources_.accounts.tokens();
                  const auto made = std::ranges::find(all, token->name, &access::Token::name);
                  if (made != all.end()) put_token(*made, *response->mutable_info());
                  return {};
                });
}

grpc::ServerUnaryReactor* AccessService::ListTokens(grpc::CallbackServerContext* context,
                                                    const v1::ListTokensRequest*,
                                                    v1::ListTokensResponse* response) {
  return answer(sources_.engine, context, [this, response](const NotCancelled&) -> Result<void> {
    for (const access::Token& token : sources_.accounts.tokens()) put_token(token, *response->add_tokens());
    return {};
  });
}

grpc::ServerUnaryReactor* AccessService::RevokeToken(grpc::CallbackServerContext* context,
                                                     const v1::RevokeTokenRequest* request,
                                                     v1::RevokeTokenResponse*) {
  return answer(sources_.engine, context, [this, context, request](const NotCancelled&) {
    return sources_.accounts.revoke_token(request->name(), sources_.log.actor(*context));
  });
}

grpc::ServerUnaryReactor* AccessService::PutUser(grpc::CallbackServerContext* context,
                                                 const v1::PutUserRequest* request, v1::PutUserResponse*) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool queued = hashing_.post([this, context, request, reactor] {
    const auto change = wanted_user(*request);
    const Result<void> put = change ? sources_.accounts.put_user(*change, sources_.log.actor(*context))
                                    : Result<void>(change.error());
    reactor->Finish(put ? grpc::Status::OK : to_grpc(put.error()));
  });
  if (!queued) reactor->Finish(to_grpc(fail(Errc::limit, "too many passwords wait to be hashed: try again")));
  return reactor;
}

grpc::ServerUnaryReactor* AccessService::ListUsers(grpc::CallbackServerContext* context,
                                                   const v1::ListUsersRequest*,
                                                   v1::ListUsersResponse* response) {
  return answer(sources_.engine, context, [this, response](const NotCancelled&) -> Result<void> {
    for (const access::User& user : sources_.accounts.users()) {
      v1::User& out = *response->add_users();
      out.set_name(user.name);
      out.set_role(std::string(to_string(user.role)));
      out.set_has_password(!user.password.empty());
      out.set_created_ms(user.created_ms);
      out.set_changed_ms(user.changed_ms);
    }
    return {};
  });
}

grpc::ServerUnaryReactor* AccessService::RemoveUser(grpc::CallbackServerContext* context,
                                                    const v1::RemoveUserRequest* request,
                                                    v1::RemoveUserResponse*) {
  return answer(sources_.engine, context, [this, context, request](const NotCancelled&) -> Result<void> {
    const std::string& name = request->name();
    if (auto removed = sources_.accounts.remove_user(name, sources_.log.actor(*context)); !removed)
      return removed;
    if (auto revoked = revoke_certificates(name, *context); !revoked)
      return fail(revoked.error().code,
                  "{0} is removed, but not the certificates: vigil certificate revoke --person {0}; {1}",
                  name, revoked.error().message);
    return {};
  });
}

/// Another user of that name would come in with them.
Result<void> AccessService::revoke_certificates(const std::string& person,
                                                const grpc::CallbackServerContext& context) {
  if (sources_.authority == nullptr) return {};
  const auto revoked = sources_.authority->revoke(identity::Kind::person, person);
  if (!revoked) return revoked.error().code == Errc::not_found ? Result<void>() : revoked.error();
  v1::RevokeResponse said;
  for (const std::string& serial : revoked->serials) said.add_serials(serial);
  return sources_.log.note(context, {"certificate.revoke", person, access::json_of(said), ""});
}

grpc::ServerUnaryReactor* AccessService::ListAudit(grpc::CallbackServerContext* context,
                                                   const v1::ListAuditRequest* request,
                                                   v1::ListAuditResponse* response) {
  return answer(sources_.engine, context, [this, request, response](const NotCancelled&) -> Result<void> {
    const std::uint32_t limit =
        request->limit() == 0 ? kUsualEntries : std::min(request->limit(), kMostEntries);
    const auto found =
        sources_.audit.find({request->start_ms(), request->end_ms(), request->who(), request->what(), limit});
    if (!found) return found.error();
    for (const access::AuditEntry& entry : found->entries) put_entry(entry, *response->add_entries());
    response->set_truncated(found->truncated);
    return {};
  });
}

}  // namespace vigil::aggregator
