// vigil.v1.Login: signing in at an OpenID Connect provider. proto/vigil/v1/login.proto is its documentation.
// Who has no credential yet may call it, so each source may do so often enough for a login and no more often,
// and what asks the provider waits in a short queue of a thread of its own: at most kMostWaitingLogins, and
// none longer than kLongestLoginWait, however long the provider lets others wait.
#pragma once

#include "aggregator/access/call_log.h"
#include "aggregator/access/limits.h"
#include "aggregator/access/oidc/device_login.h"
#include "common/threads/worker.h"
#include "vigil/v1/login.grpc.pb.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace vigil::aggregator {

inline constexpr std::size_t kMostWaitingLogins = 16;
/// Until a call gets to ask; then each question has oidc::kWebPatience.
inline constexpr std::chrono::milliseconds kLongestLoginWait{15'000};

class LoginService final : public v1::Login::CallbackService {
 public:
  /// `login` null: no provider is configured, and each call says so. `log` tells where calls come from.
  LoginService(std::unique_ptr<access::oidc::DeviceLogin> login, std::string issuer, access::CallLog log,
               std::function<std::int64_t()> now_ms);
  /// Before gRPC ends, which waits for the answers it owes.
  void hurry() const {
    if (login_) login_->hurry();
  }
  /// Once no more calls come.
  void stop() { worker_.stop(); }

  grpc::ServerUnaryReactor* StartLogin(grpc::CallbackServerContext* context,
                                       const v1::StartLoginRequest* request,
                                       v1::StartLoginResponse* response) override;
  grpc::ServerUnaryReactor* PollLogin(grpc::CallbackServerContext* context,
                                      const v1::PollLoginRequest* request,
                                      v1::PollLoginResponse* response) override;
  grpc::ServerUnaryReactor* RenewLogin(grpc::CallbackServerContext* context,
                                       const v1::RenewLoginRequest* request,
                                       v1::LoginSession* response) override;

 private:
  template <class Work>
  grpc::ServerUnaryReactor* ask(grpc::CallbackServerContext* context, Work work);
  void put_session(const access::oidc::Session& session, v1::LoginSession& out) const;

  const std::unique_ptr<access::oidc::DeviceLogin> login_;
  const std::string issuer_;
  const access::CallLog log_;
  const std::function<std::int64_t()> now_ms_;
  access::Buckets calls_;  // by source
  Worker worker_;
};

}  // namespace vigil::aggregator
