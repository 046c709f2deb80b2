// An aggregator's history as a read-back sees it: what a test put there, by queries of two forms.
#pragma once

#include "cli/bench/read_back.h"

#include <map>
#include <string>
#include <vector>

namespace vigil::cli::testing {

class FakeHistory final : public Client {
 public:
  struct Point {
    std::int64_t time_ms = 0;
    double value = 0;
  };
  /// By instance and the label `series`.
  std::map<std::pair<std::string, std::string>, std::vector<Point>> stored;
  std::vector<std::string> asked;  // expressions

  /// Everything that was sent and acknowledged, as a perfect aggregator has it.
  void store(const Sent& sent);
  std::vector<Point>& points(const std::string& instance, std::size_t column) {
    return stored[{instance, std::to_string(column)}];
  }

  Result<v1::QueryResult> instant(const v1::InstantRequest& request) override;
  Result<v1::QueryResult> range(const v1::RangeRequest&) override { return none(); }
  Result<v1::SeriesResponse> series(const v1::SeriesRequest&) override { return none(); }
  Result<v1::ListHostsResponse> hosts(const v1::ListHostsRequest&) override { return none(); }
  Result<v1::ListContainersResponse> containers(const v1::ListContainersRequest&) override { return none(); }
  Result<v1::ListAlertsResponse> alerts(const v1::ListAlertsRequest&) override { return none(); }
  Result<v1::ExplainAlertResponse> explain(const v1::ExplainAlertRequest&) override { return none(); }
  Result<v1::AcknowledgeAlertResponse> acknowledge(const v1::AcknowledgeAlertRequest&) override {
    return none();
  }
  Result<v1::ListRulesResponse> rules() override { return none(); }
  Result<v1::Status> status() override { return none(); }
  Result<v1::ListGapsResponse> gaps(const v1::ListGapsRequest&) override { return none(); }
  Result<v1::ForgetHostResponse> forget(const v1::ForgetHostRequest&) override { return none(); }
  Result<v1::ReloadResponse> reload() override { return none(); }
  Result<v1::ListDeadMessagesResponse> dead_messages() override { return none(); }
  Result<v1::ResendMessagesResponse> resend_messages(const v1::ResendMessagesRequest&) override {
    return none();
  }
  Result<v1::DropMessagesResponse> drop_messages(const v1::DropMessagesRequest&) override { return none(); }
  Result<v1::ListReceiversResponse> receivers() override { return none(); }
  Result<v1::ListRoutesResponse> routes() override { return none(); }
  Result<v1::TestReceiverResponse> test_receiver(const v1::TestReceiverRequest&) override { return none(); }
  Result<v1::ListActionsResponse> actions() override { return none(); }
  Result<v1::ListRunsResponse> action_runs(const v1::ListRunsRequest&) override { return none(); }
  Result<v1::RunActionResponse> run_action(const v1::RunActionRequest&) override { return none(); }
  Result<v1::DecideRunResponse> decide_run(const v1::DecideRunRequest&) override { return none(); }
  Result<v1::ListSilencesResponse> silences(const v1::ListSilencesRequest&) override { return none(); }
  Result<v1::PutSilenceResponse> put_silence(const v1::PutSilenceRequest&) override { return none(); }
  Result<v1::ExpireSilenceResponse> expire_silence(const v1::ExpireSilenceRequest&) override {
    return none();
  }
  Result<v1::WhoAmIResponse> who_am_i() override { return none(); }
  Result<v1::StartLoginResponse> start_login() override { return none(); }
  Result<v1::PollLoginResponse> poll_login(const v1::PollLoginRequest&) override { return none(); }
  Result<v1::LoginSession> renew_login(const v1::RenewLoginRequest&) override { return none(); }
  Result<v1::CreateTokenResponse> create_token(const v1::CreateTokenRequest&) override { return none(); }
  Result<v1::ListTokensResponse> tokens() override { return none(); }
  Result<v1::RevokeTokenResponse> revoke_token(const v1::RevokeTokenRequest&) override { return none(); }
  Result<v1::PutUserResponse> put_user(const v1::PutUserRequest&) override { return none(); }
  Result<v1::ListUsersResponse> users() override { return none(); }
  Result<v1::RemoveUserResponse> remove_user(const v1::RemoveUserRequest&) override { return none(); }
  Result<v1::ListAuditResponse> audit(const v1::ListAuditRequest&) override { return none(); }
  Result<v1::StoreStatus> store_status(const v1::GetStoreStatusRequest&) override { return none(); }
  Result<void> check_store(const std::function<Result<void>(const v1::CheckEvent&)>&) override {
    return none();
  }
  Result<void> backup(const v1::BackupRequest&,
                      const std::function<Result<void>(const v1::BackupPart&)>&) override {
    return none();
  }
  Result<void> watch(const v1::WatchRequest&,
                     const std::function<Result<void>(const v1::WatchUpdate&)>&) override {
    return none();
  }
  Result<void> replay_rules(const v1::ReplayRequest&,
                            const std::function<Result<void>(const v1::ReplayEvent&)>&) override {
    return none();
  }
  Result<v1::InviteResponse> invite(const v1::InviteRequest&) override { return none(); }
  Result<v1::ListCertificatesResponse> certificates(const v1::ListCertificatesRequest&) override {
    return none();
  }
  Result<v1::RevokeResponse> revoke(const v1::RevokeRequest&) override { return none(); }
  Result<v1::IssuedCertificate> issue_person(const v1::IssuePersonRequest&) override { return none(); }
  void cancel() override {}

 private:
  static Error none() { return fail(Errc::unsupported, "not here"); }
};

}  // namespace vigil::cli::testing
