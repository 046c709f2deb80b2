// The aggregator as the command line sees it: one channel, blocking calls with a deadline, errors as Result.
#pragma once

#include "cli/client/logins.h"
#include "common/error.h"
#include "vigil/v1/access.pb.h"
#include "vigil/v1/actions.pb.h"
#include "vigil/v1/fleet.pb.h"
#include "vigil/v1/identity.pb.h"
#include "vigil/v1/login.pb.h"
#include "vigil/v1/query.pb.h"
#include "vigil/v1/rules.pb.h"
#include "vigil/v1/store.pb.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace vigil::cli {

struct ClientOptions {
  std::string address;  // host:port
  std::chrono::milliseconds timeout{30'000};
  bool tls = false;
  std::string ca_pem;     // who signed the aggregator's certificate; empty: the system's authorities
  std::string cert_pem;   // who we are, where the aggregator asks for it; with key_pem, or both empty
  std::string cert_path;  // where that is from
  std::string key_pem;
  std::string token;  // shown with every call; empty: none. Not for plain text that leaves this machine
  /// Asked for the token before each call where `token` is empty: of a login, which is renewed. May be empty.
  std::function<Result<LoginToken>()> token_source;
  bool keeps_secrets = false;  // TLS, or nobody is on the way
};

class Client {
 public:
  /// Does not connect yet; the first call does, and gives Errc::unavailable when nobody answers.
  static std::unique_ptr<Client> create(const ClientOptions& options);
  virtual ~Client() = default;

  virtual Result<v1::QueryResult> instant(const v1::InstantRequest& request) = 0;
  virtual Result<v1::QueryResult> range(const v1::RangeRequest& request) = 0;
  virtual Result<v1::SeriesResponse> series(const v1::SeriesRequest& request) = 0;
  virtual Result<v1::ListHostsResponse> hosts(const v1::ListHostsRequest& request) = 0;
  virtual Result<v1::ListContainersResponse> containers(const v1::ListContainersRequest& request) = 0;
  virtual Result<v1::ListAlertsResponse> alerts(const v1::ListAlertsRequest& request) = 0;
  virtual Result<v1::ExplainAlertResponse> explain(const v1::ExplainAlertRequest& request) = 0;
  virtual Result<v1::AcknowledgeAlertResponse> acknowledge(const v1::AcknowledgeAlertRequest& request) = 0;
  virtual Result<v1::ListRulesResponse> rules() = 0;
  virtual Result<v1::Status> status() = 0;
  virtual Result<v1::ListGapsResponse> gaps(const v1::ListGapsRequest& request) = 0;
  virtual Result<v1::ForgetHostResponse> forget(const v1::ForgetHostRequest& request) = 0;
  virtual Result<v1::ReloadResponse> reload() = 0;
  virtual Result<v1::ListReceiversResponse> receivers() = 0;
  virtual Result<v1::ListRoutesResponse> routes() = 0;
  virtual Result<v1::TestReceiverResponse> test_receiver(const v1::TestReceiverRequest& request) = 0;
  virtual Result<v1::ListDeadMessagesResponse> dead_messages() = 0;
  virtual Result<v1::ResendMessagesResponse> resend_messages(const v1::ResendMessagesRequest& request) = 0;
  virtual Result<v1::DropMessagesResponse> drop_messages(const v1::DropMessagesRequest& request) = 0;
  virtual Result<v1::ListActionsResponse> actions() = 0;
  virtual Result<v1::ListRunsResponse> action_runs(const v1::ListRunsRequest& request) = 0;
  virtual Result<v1::RunActionResponse> run_action(const v1::RunActionRequest& request) = 0;
  virtual Result<v1::DecideRunResponse> decide_run(const v1::DecideRunRequest& request) = 0;
  virtual Result<v1::ListSilencesResponse> silences(const v1::ListSilencesRequest& request) = 0;
  virtual Result<v1::PutSilenceResponse> put_silence(const v1::PutSilenceRequest& request) = 0;
  virtual Result<v1::ExpireSilenceResponse> expire_silence(const v1::ExpireSilenceRequest& request) = 0;

  virtual Result<v1::WhoAmIResponse> who_am_i() = 0;
  virtual Result<v1::CreateTokenResponse> create_token(const v1::CreateTokenRequest& request) = 0;
  virtual Result<v1::ListTokensResponse> tokens() = 0;
  virtual Result<v1::RevokeTokenResponse> revoke_token(const v1::RevokeTokenRequest& request) = 0;
  virtual Result<v1::PutUserResponse> put_user(const v1::PutUserRequest& request) = 0;
  virtual Result<v1::ListUsersResponse> users() = 0;
  virtual Result<v1::RemoveUserResponse> remove_user(const v1::RemoveUserRequest& request) = 0;
  virtual Result<v1::ListAuditResponse> audit(const v1::ListAuditRequest& request) = 0;

  virtual Result<v1::StoreStatus> store_status(const v1::GetStoreStatusRequest& request) = 0;
  // No deadline: they take as long as the disk, or who watches, does. An error of `take` ends the call and is
  // what they give.
  virtual Result<void> check_store(const std::function<Result<void>(const v1::CheckEvent&)>& take) = 0;
  virtual Result<void> backup(const v1::BackupRequest& request,
                              const std::function<Result<void>(const v1::BackupPart&)>& take) = 0;

  virtual Result<void> watch(const v1::WatchRequest& request,
                             const std::function<Result<void>(const v1::WatchUpdate&)>& take) = 0;
  virtual Result<void> replay_rules(const v1::ReplayRequest& request,
                                    const std::function<Result<void>(const v1::ReplayEvent&)>& take) = 0;

  virtual Result<v1::InviteResponse> invite(const v1::InviteRequest& request) = 0;
  virtual Result<v1::ListCertificatesResponse> certificates(const v1::ListCertificatesRequest& request) = 0;
  virtual Result<v1::RevokeResponse> revoke(const v1::RevokeRequest& request) = 0;
  virtual Result<v1::IssuedCertificate> issue_person(const v1::IssuePersonRequest& request) = 0;

  // Errc::unavailable also where the provider is away.
  virtual Result<v1::StartLoginResponse> start_login() = 0;
  virtual Result<v1::PollLoginResponse> poll_login(const v1::PollLoginRequest& request) = 0;
  virtual Result<v1::LoginSession> renew_login(const v1::RenewLoginRequest& request) = 0;

  /// Any thread: ends the call under way, and every later one at once, with Errc::unavailable.
  virtual void cancel() = 0;
};

}  // namespace vigil::cli
