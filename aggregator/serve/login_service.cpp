#include "aggregator/serve/login_service.h"

#include "aggregator/serve/unary.h"
#include "common/log/log.h"
#include "common/text/human.h"

namespace vigil::aggregator {
namespace {

namespace oidc = access::oidc;

constexpr access::Buckets::Options kCallsOfASource = {.per_second = 1, .most = 30, .keys = 4096};

/// The provider's being away is not the aggregator's, for which clients take UNAVAILABLE.
grpc::Status login_status(const Error& error) {
  if (error.code == Errc::unavailable) return {grpc::StatusCode::ABORTED, error.message};
  return to_grpc(error);
}

v1::PollLoginResponse::State state_of(oidc::Polled::State state) {
  switch (state) {
    case oidc::Polled::State::pending:
      return v1::PollLoginResponse::STATE_PENDING;
    case oidc::Polled::State::slow_down:
      return v1::PollLoginResponse::STATE_SLOW_DOWN;
    case oidc::Polled::State::signed_in:
      break;
  }
  return v1::PollLoginResponse::STATE_SIGNED_IN;
}

}  // namespace

LoginService::LoginService(std::unique_ptr<oidc::DeviceLogin> login, std::string issuer, access::CallLog log,
                           std::function<std::int64_t()> now_ms)
    : login_(std::move(login)),
      issuer_(std::move(issuer)),
      log_(log),
      now_ms_(std::move(now_ms)),
      calls_(kCallsOfASource),
      worker_("logins", kMostWaitingLogins) {
  if (login_) worker_.start();
}

/// `work()` gives Result<void> and may block for as long as the provider takes.
template <class Work>
grpc::ServerUnaryReactor* LoginService::ask(grpc::CallbackServerContext* context, Work work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto refuse = [reactor](const Error& error) {
    reactor->Finish(to_grpc(error));
    return reactor;
  };
  if (!login_)
    return refuse(fail(Errc::conflict, "this aggregator has no OpenID Connect provider: see access.oidc"));
  const std::string source = access::source_of(log_.actor(*context).from);
  if (!calls_.take(source, now_ms_()))
    return refuse(fail(Errc::limit, "too many logins from {}: try again in a minute", source));
  const bool queued = worker_.post([this, reactor, context, since_ms = now_ms_(), work = std::move(work)] {
    // Whoever gave up while the provider let others wait leaves it to those who did not.
    if (context->IsCancelled()) return reactor->Finish(grpc::Status::CANCELLED);
    const std::int64_t waited_ms = now_ms_() - since_ms;
    if (waited_ms > kLongestLoginWait.count())
      return reactor->Finish(login_status(
          fail(Errc::unavailable, "the provider lets others wait, this call for {} by now: try again",
               format_duration(std::chrono::milliseconds(waited_ms)))));
    const Result<void> done = work();
    reactor->Finish(done ? grpc::Status::OK : login_status(done.error()));
  });
  if (!queued) return refuse(fail(Errc::limit, "too many logins wait for the provider: try again"));
  return reactor;
}

void LoginService::put_session(const oidc::Session& session, v1::LoginSession& out) const {
  out.set_token(session.token);
  out.set_refresh_token(session.refresh_token);
  out.set_expires_ms(session.person.until_ms);
  out.set_name(session.person.name);
  out.set_role(std::string(to_string(session.person.role)));
}

grpc::ServerUnaryReactor* LoginService::StartLogin(grpc::CallbackServerContext* context,
                                                   const v1::StartLoginRequest*,
                                                   v1::StartLoginResponse* response) {
  return ask(context, [this, response]() -> Result<void> {
    const auto started = login_->start();
    if (!started) return started.error();
    response->set_issuer(issuer_);
    response->set_device_code(started->device_code);
    response->set_user_code(started->user_code);
    response->set_verification_uri(started->page);
    response->set_verification_uri_complete(started->page_with_code);
    response->set_valid_for_ms(started->valid_ms);
    response->set_interval_ms(started->interval_ms);
    return {};
  });
}

grpc::ServerUnaryReactor* LoginService::PollLogin(grpc::CallbackServerContext* context,
                                                  const v1::PollLoginRequest* request,
                                                  v1::PollLoginResponse* response) {
  return ask(context, [this, request, response, peer = context->peer()]() -> Result<void> {
    const auto polled = login_->poll(request->device_code());
    if (!polled) return polled.error();
    response->set_state(state_of(polled->state));
    if (polled->state != oidc::Polled::State::signed_in) return {};
    put_session(polled->session, *response->mutable_session());
    log::info("access", "signed in", {{"who", polled->session.person.name}, {"remote", peer}});
    return {};
  });
}

grpc::ServerUnaryReactor* LoginService::RenewLogin(grpc::CallbackServerContext* context,
                                                   const v1::RenewLoginRequest* request,
                                                   v1::LoginSession* response) {
  return ask(context, [this, request, response]() -> Result<void> {
    const auto session = login_->renew(request->refresh_token());
    if (!session) return session.error();
    put_session(*session, *response);
    return {};
  });
}

}  // namespace vigil::aggregator
