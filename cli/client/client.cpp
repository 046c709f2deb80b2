#include "cli/client/client.h"

#include "cli/doctor/way.h"
#include "common/text/address.h"
#include "common/text/human.h"
#include "vigil/v1/access.grpc.pb.h"
#include "vigil/v1/actions.grpc.pb.h"
#include "vigil/v1/fleet.grpc.pb.h"
#include "vigil/v1/identity.grpc.pb.h"
#include "vigil/v1/login.grpc.pb.h"
#include "vigil/v1/query.grpc.pb.h"
#include "vigil/v1/rules.grpc.pb.h"
#include "vigil/v1/store.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <array>
#include <mutex>
#include <string_view>

namespace vigil::cli {
namespace {

constexpr int kMaxMessageBytes =
    256 << 20;  // answers to big queries; the limit that protects is the aggregator's
constexpr std::size_t kShortRequest = 16 << 10;
constexpr std::chrono::milliseconds kShortLook{1000};  // at a port that gRPC could not use

Errc code_of(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
      return Errc::parse;  // the expression; invalid_argument is left to our own flags
    case grpc::StatusCode::NOT_FOUND:
      return Errc::not_found;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Errc::timeout;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::ABORTED:  // not the aggregator but whom it asks: a login's provider
      return Errc::unavailable;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return Errc::limit;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return Errc::permission;
    case grpc::StatusCode::FAILED_PRECONDITION:
      return Errc::conflict;
    case grpc::StatusCode::UNIMPLEMENTED:
      return Errc::unsupported;
    default:
      return Errc::internal;
  }
}

/// Why nothing answers, in words: gRPC wraps the system's message in its own.
std::string reason_of(const std::string& message) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kKnown = {
      {{"Connection refused", "the connection is refused"},
       {"No route to host", "there is no route to it"},
       {"Network is unreachable", "its network is unreachable"},
       {"DNS resolution failed", "its name cannot be resolved"},
       {"andshake", "the TLS handshake failed"},
       {"Socket closed", "the connection was closed"}}};
  for (const auto& [theirs, ours] : kKnown) {
    if (message.find(theirs) != std::string::npos) return std::string(ours);
  }
  return message.substr(0, message.find(" {"));  // behind it are places in gRPC's own source
}

std::shared_ptr<grpc::ChannelCredentials> credentials(const ClientOptions& options) {
  if (!options.tls) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({.pem_root_certs = options.ca_pem,
                               .pem_private_key = options.key_pem,
                               .pem_cert_chain = options.cert_pem});
}

class GrpcClient final : public Client {
 public:
  explicit GrpcClient(const ClientOptions& options)
      : options_(options),
        address_(options.address),
        timeout_(options.timeout),
        token_(options.token),
        token_source_(options.token_source) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // monitoring does not take the way round by a proxy
    // A stream may be quiet for long: who is there still answers.
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);  // who watches waits for a restart
    const auto channel = grpc::CreateCustomChannel(address_, credentials(options), arguments);
    query_ = v1::Query::NewStub(channel);
    fleet_ = v1::Fleet::NewStub(channel);
    access_ = v1::Access::NewStub(channel);
    actions_ = v1::Actions::NewStub(channel);
    identity_ = v1::Identity::NewStub(channel);
    login_ = v1::Login::NewStub(channel);
    store_ = v1::Store::NewStub(channel);
    rules_ = v1::Rules::NewStub(channel);
  }

  Result<v1::QueryResult> instant(const v1::InstantRequest& request) override {
    return call<v1::QueryResult>(*query_, &v1::Query::Stub::Instant, request);
  }
  Result<v1::QueryResult> range(const v1::RangeRequest& request) override {
    return call<v1::QueryResult>(*query_, &v1::Query::Stub::Range, request);
  }
  Result<v1::SeriesResponse> series(const v1::SeriesRequest& request) override {
    return call<v1::SeriesResponse>(*query_, &v1::Query::Stub::Series, request);
  }
  Result<v1::ListHostsResponse> hosts(const v1::ListHostsRequest& request) override {
    return call<v1::ListHostsResponse>(*fleet_, &v1::Fleet::Stub::ListHosts, request);
  }
  Result<v1::ListContainersResponse> containers(const v1::ListContainersRequest& request) override {
    return call<v1::ListContainersResponse>(*fleet_, &v1::Fleet::Stub::ListContainers, request);
  }
  Result<v1::ListAlertsResponse> alerts(const v1::ListAlertsRequest& request) override {
    return call<v1::ListAlertsResponse>(*fleet_, &v1::Fleet::Stub::ListAlerts, request);
  }
  Result<v1::ExplainAlertResponse> explain(const v1::ExplainAlertRequest& request) override {
    return call<v1::ExplainAlertResponse>(*fleet_, &v1::Fleet::Stub::ExplainAlert, request);
  }
  Result<v1::AcknowledgeAlertResponse> acknowledge(const v1::AcknowledgeAlertRequest& request) override {
    return call<v1::AcknowledgeAlertResponse>(*fleet_, &v1::Fleet::Stub::AcknowledgeAlert, request);
  }
  Result<v1::ListRulesResponse> rules() override {
    return call<v1::ListRulesResponse>(*fleet_, &v1::Fleet::Stub::ListRules, v1::ListRulesRequest{});
  }
  Result<v1::Status> status() override {
    return call<v1::Status>(*fleet_, &v1::Fleet::Stub::GetStatus, v1::GetStatusRequest{});
  }
  Result<v1::ListGapsResponse> gaps(const v1::ListGapsRequest& request) override {
    return call<v1::ListGapsResponse>(*fleet_, &v1::Fleet::Stub::ListGaps, request);
  }
  Result<v1::ForgetHostResponse> forget(const v1::ForgetHostRequest& request) override {
    return call<v1::ForgetHostResponse>(*fleet_, &v1::Fleet::Stub::ForgetHost, request);
  }
  Result<v1::ReloadResponse> reload() override {
    return call<v1::ReloadResponse>(*fleet_, &v1::Fleet::Stub::Reload, v1::ReloadRequest{});
  }
  Result<v1::ListReceiversResponse> receivers() override {
    return call<v1::ListReceiversResponse>(*fleet_, &v1::Fleet::Stub::ListReceivers,
                                           v1::ListReceiversRequest{});
  }
  Result<v1::ListRoutesResponse> routes() override {
    return call<v1::ListRoutesResponse>(*fleet_, &v1::Fleet::Stub::ListRoutes, v1::ListRoutesRequest{});
  }
  Result<v1::ListDeadMessagesResponse> dead_messages() override {
    return call<v1::ListDeadMessagesResponse>(*fleet_, &v1::Fleet::Stub::ListDeadMessages,
                                              v1::ListDeadMessagesRequest{});
  }
  Result<v1::ResendMessagesResponse> resend_messages(const v1::ResendMessagesRequest& request) override {
    return call<v1::ResendMessagesResponse>(*fleet_, &v1::Fleet::Stub::ResendMessages, request);
  }
  Result<v1::DropMessagesResponse> drop_messages(const v1::DropMessagesRequest& request) override {
    return call<v1::DropMessagesResponse>(*fleet_, &v1::Fleet::Stub::DropMessages, request);
  }
  Result<v1::TestReceiverResponse> test_receiver(const v1::TestReceiverRequest& request) override {
    return call<v1::TestReceiverResponse>(*fleet_, &v1::Fleet::Stub::TestReceiver, request);
  }
  Result<v1::ListActionsResponse> actions() override {
    return call<v1::ListActionsResponse>(*actions_, &v1::Actions::Stub::ListActions,
                                         v1::ListActionsRequest{});
  }
  Result<v1::ListRunsResponse> action_runs(const v1::ListRunsRequest& request) override {
    return call<v1::ListRunsResponse>(*actions_, &v1::Actions::Stub::ListRuns, request);
  }
  Result<v1::RunActionResponse> run_action(const v1::RunActionRequest& request) override {
    return call<v1::RunActionResponse>(*actions_, &v1::Actions::Stub::RunAction, request);
  }
  Result<v1::DecideRunResponse> decide_run(const v1::DecideRunRequest& request) override {
    return call<v1::DecideRunResponse>(*actions_, &v1::Actions::Stub::DecideRun, request);
  }
  Result<v1::ListSilencesResponse> silences(const v1::ListSilencesRequest& request) override {
    return call<v1::ListSilencesResponse>(*fleet_, &v1::Fleet::Stub::ListSilences, request);
  }
  Result<v1::PutSilenceResponse> put_silence(const v1::PutSilenceRequest& request) override {
    return call<v1::PutSilenceResponse>(*fleet_, &v1::Fleet::Stub::PutSilence, request);
  }
  Result<v1::ExpireSilenceResponse> expire_silence(const v1::ExpireSilenceRequest& request) override {
    return call<v1::ExpireSilenceResponse>(*fleet_, &v1::Fleet::Stub::ExpireSilence, request);
  }
  Result<v1::WhoAmIResponse> who_am_i() override {
    return call<v1::WhoAmIResponse>(*access_, &v1::Access::Stub::WhoAmI, v1::WhoAmIRequest{});
  }
  Result<v1::CreateTokenResponse> create_token(const v1::CreateTokenRequest& request) override {
    return call<v1::CreateTokenResponse>(*access_, &v1::Access::Stub::CreateToken, request);
  }
  Result<v1::ListTokensResponse> tokens() override {
    return call<v1::ListTokensResponse>(*access_, &v1::Access::Stub::ListTokens, v1::ListTokensRequest{});
  }
  Result<v1::RevokeTokenResponse> revoke_token(const v1::RevokeTokenRequest& request) override {
    return call<v1::RevokeTokenResponse>(*access_, &v1::Access::Stub::RevokeToken, request);
  }
  Result<v1::PutUserResponse> put_user(const v1::PutUserRequest& request) override {
    return call<v1::PutUserResponse>(*access_, &v1::Access::Stub::PutUser, request);
  }
  Result<v1::ListUsersResponse> users() override {
    return call<v1::ListUsersResponse>(*access_, &v1::Access::Stub::ListUsers, v1::ListUsersRequest{});
  }
  Result<v1::RemoveUserResponse> remove_user(const v1::RemoveUserRequest& request) override {
    return call<v1::RemoveUserResponse>(*access_, &v1::Access::Stub::RemoveUser, request);
  }
  Result<v1::ListAuditResponse> audit(const v1::ListAuditRequest& request) override {
    return call<v1::ListAuditResponse>(*access_, &v1::Access::Stub::ListAudit, request);
  }
  Result<v1::StoreStatus> store_status(const v1::GetStoreStatusRequest& request) override {
    return call<v1::StoreStatus>(*store_, &v1::Store::Stub::GetStoreStatus, request);
  }
  Result<void> check_store(const std::function<Result<void>(const v1::CheckEvent&)>& take) override {
    return stream<v1::CheckEvent>(*store_, &v1::Store::Stub::CheckStore, v1::CheckStoreRequest{}, take);
  }
  Result<void> backup(const v1::BackupRequest& request,
                      const std::function<Result<void>(const v1::BackupPart&)>& take) override {
    return stream<v1::BackupPart>(*store_, &v1::Store::Stub::Backup, request, take);
  }
  Result<void> watch(const v1::WatchRequest& request,
                     const std::function<Result<void>(const v1::WatchUpdate&)>& take) override {
    return stream<v1::WatchUpdate>(*query_, &v1::Query::Stub::Watch, request, take);
  }
  Result<void> replay_rules(const v1::ReplayRequest& request,
                            const std::function<Result<void>(const v1::ReplayEvent&)>& take) override {
    return stream<v1::ReplayEvent>(*rules_, &v1::Rules::Stub::Replay, request, take);
  }
  Result<v1::InviteResponse> invite(const v1::InviteRequest& request) override {
    return call<v1::InviteResponse>(*identity_, &v1::Identity::Stub::Invite, request);
  }
  Result<v1::ListCertificatesResponse> certificates(const v1::ListCertificatesRequest& request) override {
    return call<v1::ListCertificatesResponse>(*identity_, &v1::Identity::Stub::ListCertificates, request);
  }
  Result<v1::RevokeResponse> revoke(const v1::RevokeRequest& request) override {
    return call<v1::RevokeResponse>(*identity_, &v1::Identity::Stub::Revoke, request);
  }
  Result<v1::IssuedCertificate> issue_person(const v1::IssuePersonRequest& request) override {
    return call<v1::IssuedCertificate>(*identity_, &v1::Identity::Stub::IssuePerson, request);
  }
  Result<v1::StartLoginResponse> start_login() override {
    return call<v1::StartLoginResponse>(*login_, &v1::Login::Stub::StartLogin, v1::StartLoginRequest{});
  }
  Result<v1::PollLoginResponse> poll_login(const v1::PollLoginRequest& request) override {
    return call<v1::PollLoginResponse>(*login_, &v1::Login::Stub::PollLogin, request);
  }
  Result<v1::LoginSession> renew_login(const v1::RenewLoginRequest& request) override {
    return call<v1::LoginSession>(*login_, &v1::Login::Stub::RenewLogin, request);
  }
  void cancel() override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (under_way_ != nullptr) under_way_->TryCancel();
  }

 private:
  /// The aggregator ends a connection that sends 64 KiB before anybody was let in over it, which a call is
  /// once all of it has come: before a long one goes a short one. What is wrong with it, the long one is
  /// told, too.
  void introduce(std::size_t request_bytes) {
    if (request_bytes <= kShortRequest) return;
    v1::InstantRequest shortest;
    shortest.set_expression("0");
    static_cast<void>(instant(shortest));
  }

  template <class Response, class Stub, class Method, class Request>
  Result<Response> call(Stub& stub, Method method, const Request& request) {
    introduce(request.ByteSizeLong());
    grpc::ClientContext context;
    const auto shown = show_token(context);
    if (!shown) return shown.error();
    context.set_deadline(std::chrono::system_clock::now() + timeout_);
    Response response;
    if (!enter(context)) {
      leave();
      return fail(Errc::unavailable, "cancelled");
    }
    const grpc::Status status = (stub.*method)(&context, request, &response);
    leave();
    if (status.ok()) return response;
    return error_of(status, *shown);
  }

  /// A call that answers with many messages.
  template <class Message, class Stub, class Method, class Request>
  Result<void> stream(Stub& stub, Method method, const Request& request,
                      const std::function<Result<void>(const Message&)>& take) {
    introduce(request.ByteSizeLong());
    grpc::ClientContext context;
    const auto shown = show_token(context);
    if (!shown) return shown.error();
    if (!enter(context)) {
      leave();
      return fail(Errc::unavailable, "cancelled");
    }
    bool has_begun = false;
    const auto reader = (stub.*method)(&context, request);
    Result<void> taken;
    for (Message message; taken && reader->Read(&message); has_begun = true) taken = take(message);
    if (!taken) context.TryCancel();
    const grpc::Status status = reader->Finish();
    leave();
    if (!taken || status.ok()) return taken;
    // The token of a login ended meanwhile: the next call shows another one.
    if (has_begun && token_source_ && status.error_code() == grpc::StatusCode::UNAUTHENTICATED)
      return Error{Errc::unavailable, status.error_message()};
    return error_of(status, *shown);
  }

  Error error_of(const grpc::Status& status, const LoginToken& shown) const {
    if (status.error_code() == grpc::StatusCode::CANCELLED) return fail(Errc::unavailable, "cancelled");
    // The library's own words for our deadline; the aggregator says more of its own.
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
        status.error_message() == "Deadline Exceeded") {
      return fail(Errc::timeout,
                  "no answer from {} within {}, the limit of --timeout: raise it, or ask for less", address_,
                  format_duration(timeout_));
    }
    if (status.error_message().find("http1.x server") != std::string::npos) {
      return fail(Errc::unavailable,
                  "{} looks like an HTTP port; this program speaks gRPC, port {} unless grpc_listen says "
                  "otherwise: --aggregator HOST:PORT or VIGIL_AGGREGATOR",
                  address_, kGrpcPort);
    }
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      if (const auto trouble = find_lasting_trouble(options_, kShortLook)) {
        const std::string about = trouble->about == address_ ? "" : trouble->about + ": ";
        return fail(Errc::unavailable, "no connection to {}: {}{}\n{}", address_, about, trouble->seen,
                    trouble->fix);
      }
      return fail(Errc::unavailable,
                  "no aggregator answers at {}: {}\nIs vigil-aggregator running? Another address: "
                  "--aggregator HOST:PORT or VIGIL_AGGREGATOR; with TLS: --tls or --tls-ca FILE",
                  address_, reason_of(status.error_message()));
    }
    if (code_of(status.error_code()) == Errc::permission) return refusal_of(status, shown);
    return Error{code_of(status.error_code()), status.error_message()};
  }

  static Error refusal_of(const grpc::Status& status, const LoginToken& shown) {
    std::string text = status.error_message();
    if (status.error_code() == grpc::StatusCode::UNAUTHENTICATED)
      text +=
          "\nSay who you are: --token-file FILE or VIGIL_TOKEN_FILE, --tls-cert and --tls-key, or vigil "
          "login";
    if (!shown.trouble.empty()) text += "\nA login could not be looked for: " + shown.trouble;
    return Error{Errc::permission, std::move(text)};
  }

  /// Before the deadline is set: a login may have to be renewed for it. What of a login was shown, or why
  /// none.
  Result<LoginToken> show_token(grpc::ClientContext& context) const {
    LoginToken login;
    if (token_.empty() && token_source_) {
      auto found = token_source_();
      if (!found) return found.error();
      login = std::move(*found);
    }
    const std::string& token = token_.empty() ? login.text : token_;
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    return login;
  }
  /// False: cancelled.
  bool enter(grpc::ClientContext& context) {
    const std::lock_guard lock(mutex_);
    under_way_ = &context;
    return !cancelled_;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    under_way_ = nullptr;
  }

  const ClientOptions options_;
  std::string address_;
  std::chrono::milliseconds timeout_;
  const std::string token_;
  const std::function<Result<LoginToken>()> token_source_;
  std::mutex mutex_;  // protects under_way_ and cancelled_
  grpc::ClientContext* under_way_ = nullptr;
  bool cancelled_ = false;
  std::unique_ptr<v1::Query::Stub> query_;
  std::unique_ptr<v1::Fleet::Stub> fleet_;
  std::unique_ptr<v1::Access::Stub> access_;
  std::unique_ptr<v1::Actions::Stub> actions_;
  std::unique_ptr<v1::Identity::Stub> identity_;
  std::unique_ptr<v1::Login::Stub> login_;
  std::unique_ptr<v1::Store::Stub> store_;
  std::unique_ptr<v1::Rules::Stub> rules_;
};

}  // namespace

std::unique_ptr<Client> Client::create(const ClientOptions& options) {
  return std::make_unique<GrpcClient>(options);
}

}  // namespace vigil::cli
