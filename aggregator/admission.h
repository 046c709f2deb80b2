// Who is let in and what they may do: the authority of certificates, access.db with its tokens, users and log
// of changes, the provider that logs people in, and the guard that both ports ask.
//
// Opened after the history, whose lock keeps a second aggregator out of the folder.
#pragma once

#include "aggregator/access/access_file.h"
#include "aggregator/access/accounts.h"
#include "aggregator/access/audit.h"
#include "aggregator/access/call_log.h"
#include "aggregator/access/gatekeeper.h"
#include "aggregator/access/oidc/people.h"
#include "aggregator/config.h"
#include "aggregator/identity/authority.h"
#include "aggregator/identity/fence.h"
#include "aggregator/self/registry.h"
#include "aggregator/serve/login_service.h"
#include "common/error.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::aggregator {

class Admission {
 public:
  /// `config` and `registry` must outlive it. Errors name the file.
  static Result<std::unique_ptr<Admission>> open(const AggregatorConfig& config, self::Registry& registry);

  /// Logins can begin. Errors name the file of the provider's secret.
  Result<void> start();

  /// Null: there is none, or others are configured.
  identity::Authority* authority() const { return authority_.get(); }
  access::Accounts& accounts() const { return *accounts_; }
  access::Audit& audit() const { return *audit_; }
  access::Gatekeeper& gatekeeper() const { return *gatekeeper_; }
  const access::CallLog& call_log() const { return call_log_; }
  LoginService& login_service() const { return *login_service_; }  // after start()

  /// Whether the bearer of `certificate` (PEM) may send as `host`. Any thread.
  Result<identity::Speaker> may_speak(const std::string& certificate, const std::string& host) const;
  /// Copies the authority into a backup's folder; nothing where the authority is not in use.
  std::function<Result<std::vector<std::string>>(const std::filesystem::path&)> authority_copier() const;
  /// Why nobody can log in just now; empty: they can, or no provider is configured.
  std::string provider_trouble() const;

  /// Once a second: certificates are renewed, and accounts are learnt that `init` made; once a minute: which
  /// tokens were used is written, and what is too old leaves the log of changes.
  void beat();

  // Stopping, in this order: what waits for the provider gives up; nobody is let in any more (once the ports
  // are closed); what is known is written.
  void hurry();
  void stop();
  void close();

 private:
  Admission(const AggregatorConfig& config, self::Registry& registry)
      : config_(config), registry_(registry) {}
  Result<void> open_authority();
  Result<void> open_accounts();
  void open_gate();
  void learn_accounts();
  void keep(std::int64_t now_ms);

  const AggregatorConfig& config_;
  self::Registry& registry_;
  std::unique_ptr<identity::Authority> authority_;
  std::unique_ptr<access::AccessFile> access_file_;
  std::unique_ptr<access::Audit> audit_;
  std::unique_ptr<access::Accounts> accounts_;
  std::unique_ptr<access::oidc::People> people_;  // null: no provider is configured
  std::unique_ptr<access::Gatekeeper> gatekeeper_;
  access::CallLog call_log_;
  std::unique_ptr<LoginService> login_service_;
  std::int64_t kept_ms_ = 0;  // when upkeep was done last
  bool is_behind_ = false;    // access.db could not be looked at
};

}  // namespace vigil::aggregator
