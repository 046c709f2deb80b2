#include "aggregator/admission.h"

#include "aggregator/access/oidc/web.h"
#include "aggregator/identity/authority_copy.h"
#include "common/clock.h"
#include "common/config/files.h"
#include "common/log/log.h"

#include <utility>

namespace vigil::aggregator {

Result<std::unique_ptr<Admission>> Admission::open(const AggregatorConfig& config, self::Registry& registry) {
  std::unique_ptr<Admission> made(new Admission(config, registry));
  if (auto opened = made->open_authority(); !opened) return opened.error();
  if (auto opened = made->open_accounts(); !opened) return opened.error();
  made->open_gate();
  return made;
}

Result<void> Admission::open_authority() {
  if (!uses_own_authority(config_)) return {};
  identity::AuthorityOptions options;
  options.folder = identity::folder_in(data_directory(config_));
  options.lives = config_.identity.lives;
  options.now_ms = wall_ms;
  auto authority = identity::Authority::open(std::move(options));
  if (!authority) return authority.error();
  authority_ = std::move(*authority);
  return {};
}

Result<void> Admission::open_accounts() {
  auto file = access::AccessFile::open(access_path(config_));
  if (!file) return file.error();
  access_file_ = std::move(*file);
  audit_ = std::make_unique<access::Audit>(*access_file_, wall_ms);
  auto accounts = access::Accounts::load(*access_file_, *audit_, wall_ms);
  if (!accounts) return accounts.error();
  accounts_ = std::move(*accounts);
  registry_.collect(self::Kind::gauge, "vigil_aggregator_audit_waiting",
                    "Changes that are not in the log of changes yet, because it cannot be written.",
                    [this] { return static_cast<double>(audit_->waiting()); });
  return {};
}

void Admission::open_gate() {
  const access::oidc::OidcConfig& oidc = config_.access.oidc;
  if (oidc.is_on())
    people_ = std::make_unique<access::oidc::People>(oidc, access::oidc::make_web(oidc.ca_file), wall_ms,
                                                     registry_);
  gatekeeper_ = std::make_unique<access::Gatekeeper>(
      access::Gatekeeper::Options{config_.access, authority_ != nullptr || !config_.tls.client_ca.empty(),
                                  wall_ms, people_.get()},
      *accounts_, registry_);
  call_log_ = {audit_.get(), gatekeeper_.get()};
}

Result<void> Admission::start() {
  const access::oidc::OidcConfig& oidc = config_.access.oidc;
  std::unique_ptr<access::oidc::DeviceLogin> login;
  if (people_) {
    std::string secret;
    if (!oidc.client_secret_file.empty()) {
      auto read = config::read_secret(oidc.client_secret_file);
      if (!read) return read.error();
      secret = std::move(*read);
    }
    login = std::make_unique<access::oidc::DeviceLogin>(*people_, access::oidc::make_web(oidc.ca_file),
                                                        std::move(secret));
    people_->start();
  }
  login_service_ = std::make_unique<LoginService>(std::move(login), oidc.issuer, call_log_, wall_ms);
  return {};
}

Result<identity::Speaker> Admission::may_speak(const std::string& certificate,
                                               const std::string& host) const {
  if (authority_) return authority_->may_speak(certificate, host);
  return identity::speaker_by_name(certificate, host, wall_ms());
}

std::function<Result<std::vector<std::string>>(const std::filesystem::path&)> Admission::authority_copier()
    const {
  if (!authority_) return {};
  return [folder = identity::folder_in(data_directory(config_))](const std::filesystem::path& copies) {
    return identity::copy_authority(folder, copies / identity::kFolder);
  };
}

std::string Admission::provider_trouble() const {
  return people_ ? people_->trouble() : std::string();
}

void Admission::beat() {
  constexpr std::int64_t kMinuteMs = 60'000;
  if (authority_) {
    if (const auto tended = authority_->tend(); !tended)
      log::error("identity", "the certificates cannot be looked after", {{"error", tended.error()}});
  }
  learn_accounts();
  const std::int64_t now_ms = wall_ms();
  if (now_ms >= kept_ms_ && now_ms - kept_ms_ < kMinuteMs) return;  // a clock may be set back
  kept_ms_ = now_ms;
  keep(now_ms);
}

void Admission::learn_accounts() {
  const auto fresh = accounts_->refresh();
  if (!fresh && !is_behind_)
    log::warn("access", "access.db cannot be looked at for changes; it is tried again every second",
              {{"error", fresh.error()}});
  if (fresh && is_behind_) log::info("access", "access.db can be looked at for changes again");
  is_behind_ = !fresh;
}

void Admission::keep(std::int64_t now_ms) {
  const std::int64_t retention = config_.access.audit_retention.count();
  for (const Result<void>& done :
       {accounts_->write_use(), retention == 0 ? Result<void>() : audit_->prune(now_ms - retention),
        access_file_->checkpoint()}) {
    if (!done)
      log::warn("access", "upkeep of access.db failed; it will be tried again", {{"error", done.error()}});
  }
}

void Admission::hurry() {
  if (login_service_) login_service_->hurry();
  if (people_) people_->hurry();
}

void Admission::stop() {
  gatekeeper_->stop();
  if (people_) people_->stop();
  if (login_service_) login_service_->stop();
}

void Admission::close() {
  (void)accounts_->write_use();  // kept until the next start: the log of changes has what matters
  (void)access_file_->checkpoint();
}

}  // namespace vigil::aggregator
