#include "aggregator/identity/authority.h"

#include "common/config/files.h"
#include "common/log/log.h"
#include "common/text/human.h"
#include "common/tls/token.h"
#include "common/wire/names.h"

#include <algorithm>
#include <tuple>

namespace vigil::aggregator::identity {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kTendEveryMs = 3'600'000;
constexpr std::int64_t kTendSoonMs = 5'000;
constexpr std::int64_t kRememberMs = 400LL * 86'400'000;  // what ended
constexpr milliseconds kLongestLife = std::chrono::hours(24 * 3653);
constexpr std::size_t kMostGood = 10;  // certificates of a host at the same time
constexpr std::size_t kMostNameBytes = 64;
constexpr std::size_t kMostCertificateBytes = 16 << 10;

Error no_longer(Kind kind, std::string_view why) {
  return fail(Errc::permission, "{}; on the aggregator's side: {}", why,
              kind == Kind::host ? "vigil agent invite --name NAME"
                                 : "vigil certificate issue --person NAME --out FOLDER");
}

Result<Bearer> read_bearer(std::string_view pem) {
  if (pem.size() > kMostCertificateBytes)
    return fail(Errc::limit, "the certificate has more than {} bytes", kMostCertificateBytes);
  auto certificate = tls::read_certificate(pem);
  if (!certificate) return certificate.error();
  auto host = tls::named_by(*certificate, tls::kHostUri);
  auto person = tls::named_by(*certificate, tls::kPersonUri);
  if (host.has_value() == person.has_value())
    return fail(Errc::permission, "the certificate names neither one host nor one person");
  const Kind kind = host ? Kind::host : Kind::person;
  return Bearer{kind, host ? std::move(*host) : std::move(*person), std::move(*certificate)};
}

}  // namespace

bool valid_person_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._@-").find(c) != std::string_view::npos;
  });
}

Result<std::unique_ptr<Authority>> Authority::open(AuthorityOptions options) {
  auto signer = read_authority(options.folder);
  if (!signer) return signer.error();
  auto own = tls::read_certificate(signer->certificate);
  if (!own) return own.error();
  auto store = IdentityStore::open(database_path(options.folder));
  if (!store) return store.error();
  return std::unique_ptr<Authority>(
      new Authority(std::move(options), std::move(*signer), std::move(*own), std::move(*store)));
}

Result<std::pair<Issued, CertificateRow>> Authority::sign(const Wanted& wanted, std::string_view request,
                                                          std::int64_t now_ms) const {
  const auto key = tls::read_request(request);
  if (!key) return key.error();
  // Not beyond the authority's own end, where nobody would believe it.
  const milliseconds left(own_.not_after_ms - now_ms);
  if (left.count() <= 0) return fail(Errc::conflict, "the authority's own certificate expired");
  const Making making{now_ms, std::min(wanted.life, left)};
  const std::string_view prefix = wanted.kind == Kind::host ? tls::kHostUri : tls::kPersonUri;
  const tls::Subject subject{wanted.name, {std::string(prefix) + wanted.name}, {}, tls::Purpose::client};
  auto certificate = tls::issue(signer_, *key, subject, life_of(making));
  if (!certificate) return certificate.error();
  const auto info = tls::read_certificate(*certificate);
  if (!info) return info.error();
  CertificateRow row{info->serial, wanted.kind, wanted.name, info->not_before_ms, info->not_after_ms, 0};
  return std::pair{
      Issued{std::move(*certificate), signer_.certificate, wanted.name, info->serial, info->not_after_ms},
      std::move(row)};
}

std::vector<std::string> Authority::good_serials(Kind kind, std::string_view name,
                                                 std::int64_t now_ms) const {
  std::vector<std::string> out;
  for (const auto& [serial, row] : store_.certificates()) {
    if (row.kind == kind && row.name == name && row.revoked_ms == 0 && row.not_after_ms > now_ms)
      out.push_back(serial);
  }
  return out;
}

void Authority::tell(const std::vector<std::string>& serials) const {
  if (!serials.empty() && on_revoked_) on_revoked_(serials);
}

Result<Invitation> Authority::invite(const std::string& name, milliseconds ttl, Replace replace,
                                     const std::string& made_by) {
  if (!wire::valid_host_name(name)) {
    return fail(Errc::invalid_argument, "name: '{}' must be 1 to {} letters, digits and . _ : -",
                wire::clean_text(name), wire::kMaxHostBytes);
  }
  if (ttl.count() == 0) ttl = kUsualInvitation;
  if (ttl < milliseconds(1000) || ttl > kLongestInvitation)
    return fail(Errc::invalid_argument, "ttl: must be 1s to {}", format_duration(kLongestInvitation));
  auto token = tls::make_token();
  if (!token) return token.error();
  const std::int64_t now_ms = options_.now_ms();
  const std::lock_guard lock(mutex_);
  if (replace == Replace::refused && !good_serials(Kind::host, name, now_ms).empty()) {
    return fail(
        Errc::conflict,
        "{} has a certificate: --replace makes another one take its place, vigil agent revoke {} ends it",
        name, name);
  }
  const InviteRow row{tls::digest_of(*token),      name,   now_ms + ttl.count(), 0,
                      replace == Replace::allowed, made_by};
  if (auto added = store_.add_invite(row, now_ms); !added) return added.error();
  return Invitation{row.id(), std::move(*token), row.expires_ms, own_.fingerprint};
}

Result<Enrolled> Authority::enroll(std::string_view token, std::string_view request) {
  const std::int64_t now_ms = options_.now_ms();
  auto enrolled = [&]() -> Result<Enrolled> {
    const std::lock_guard lock(mutex_);
    const std::string hash = tls::digest_of(token);
    const auto invite = store_.invite(hash);
    if (!invite) return invite.error();
    if (!*invite)
      return no_longer(Kind::host,
                       "the token is not known here: was it copied whole, and is this the right aggregator?");
    const InviteRow& row = **invite;
    if (row.used_ms != 0) return no_longer(Kind::host, "the token was used already");
    if (now_ms >= row.expires_ms)
      return no_longer(Kind::host, "the token expired at " + format_rfc3339(row.expires_ms));
    auto replaced = good_serials(Kind::host, row.name, now_ms);
    if (!replaced.empty() && !row.replace)
      return fail(Errc::conflict,
                  "{} has got a certificate meanwhile: vigil agent invite --name {} --replace", row.name,
                  row.name);
    auto made = sign({Kind::host, row.name, options_.lives.host}, request, now_ms);
    if (!made) return made.error();
    if (auto done = store_.enrolled(hash, made->second, replaced, now_ms); !done) return done.error();
    return Enrolled{std::move(made->first), row.id(), row.made_by, std::move(replaced)};
  }();
  if (enrolled) tell(enrolled->replaced);
  return enrolled;
}

Result<Issued> Authority::renew(std::string_view certificate, std::string_view request) {
  const auto bearer = admit(certificate);
  if (!bearer) return bearer.error();
  if (bearer->kind != Kind::host)
    return fail(Errc::permission, "only hosts renew their certificates by themselves");
  const std::int64_t now_ms = options_.now_ms();
  const std::lock_guard lock(mutex_);
  // It may have been revoked since admit() looked.
  const CertificateRow* row = store_.certificate(bearer->certificate.serial);
  if (row == nullptr || row->revoked_ms != 0)
    return no_longer(Kind::host, fmt::format("the certificate of {} was revoked", bearer->name));
  if (good_serials(Kind::host, bearer->name, now_ms).size() >= kMostGood) {
    return fail(Errc::limit, "{} has {} certificates already: one of them must expire first", bearer->name,
                kMostGood);
  }
  auto made = sign({Kind::host, bearer->name, options_.lives.host}, request, now_ms);
  if (!made) return made.error();
  if (auto added = store_.add_certificate(made->second); !added) return added.error();
  return std::move(made->first);
}

Result<Issued> Authority::issue_person(const std::string& name, std::string_view request, milliseconds life) {
  if (!valid_person_name(name)) {
    return fail(Errc::invalid_argument, "name: '{}' must be 1 to {} letters, digits and . _ @ -",
                wire::clean_text(name), kMostNameBytes);
  }
  if (life.count() == 0) life = options_.lives.person;
  if (life < milliseconds(1000) || life > kLongestLife)
    return fail(Errc::invalid_argument, "life: must be 1s to {}", format_duration(kLongestLife));
  const std::int64_t now_ms = options_.now_ms();
  const std::lock_guard lock(mutex_);
  auto made = sign({Kind::person, name, life}, request, now_ms);
  if (!made) return made.error();
  if (auto added = store_.add_certificate(made->second); !added) return added.error();
  return std::move(made->first);
}

Result<Revoked> Authority::revoke_locked(const std::vector<std::string>& serials, std::int64_t now_ms) {
  if (auto done = store_.revoke(serials, now_ms); !done) return done.error();
  return Revoked{serials, 0};
}

Result<Revoked> Authority::revoke(Kind kind, const std::string& name) {
  const std::int64_t now_ms = options_.now_ms();
  Result<Revoked> revoked = [&]() -> Result<Revoked> {
    const std::lock_guard lock(mutex_);
    if (auto fresh = store_.refresh(); !fresh) return fresh.error();
    auto done = revoke_locked(good_serials(kind, name, now_ms), now_ms);
    if (!done || kind != Kind::host) return done;
    const auto withdrawn = store_.withdraw_invites(name, now_ms);
    if (!withdrawn) return withdrawn.error();
    done->invites = *withdrawn;
    return done;
  }();
  if (!revoked) return revoked;
  if (revoked->serials.empty() && revoked->invites == 0) {
    return fail(Errc::not_found, "the {} {} has no certificate that is good", to_string(kind),
                wire::clean_text(name));
  }
  tell(revoked->serials);
  return revoked;
}

Result<Revoked> Authority::revoke_serial(const std::string& serial) {
  const std::int64_t now_ms = options_.now_ms();
  Result<Revoked> revoked = [&]() -> Result<Revoked> {
    const std::lock_guard lock(mutex_);
    if (auto fresh = store_.refresh(); !fresh) return fresh.error();
    const CertificateRow* row = store_.certificate(serial);
    if (row == nullptr || row->revoked_ms != 0 || row->not_after_ms <= now_ms)
      return fail(Errc::not_found, "no certificate with the serial number {} is good",
                  wire::clean_text(serial));
    return revoke_locked({serial}, now_ms);
  }();
  if (revoked) tell(revoked->serials);
  return revoked;
}

Result<Bearer> Authority::admit(std::string_view certificate) {
  auto bearer = read_bearer(certificate);
  if (!bearer) return bearer;
  const std::int64_t now_ms = options_.now_ms();
  const tls::CertificateInfo& info = bearer->certificate;
  const std::lock_guard lock(mutex_);
  if (auto ours = tls::check_signed_by(certificate, signer_.certificate); !ours) return ours.error();
  if (now_ms < info.not_before_ms) {
    return fail(Errc::permission, "the certificate of {} is good only from {}: one of the clocks is wrong",
                bearer->name, format_rfc3339(info.not_before_ms));
  }
  if (now_ms >= info.not_after_ms) {
    return no_longer(bearer->kind, fmt::format("the certificate of {} expired at {}", bearer->name,
                                               format_rfc3339(info.not_after_ms)));
  }
  const CertificateRow* row = store_.certificate(info.serial);
  if (row == nullptr) {  // perhaps of an init of a moment ago
    if (auto fresh = store_.refresh(); !fresh) return fresh.error();
    row = store_.certificate(info.serial);
  }
  if (row == nullptr) {
    if (auto adopted = adopt(*bearer); !adopted) return adopted.error();
  } else if (row->revoked_ms != 0) {
    return no_longer(bearer->kind, fmt::format("the certificate of {} was revoked at {}", bearer->name,
                                               format_rfc3339(row->revoked_ms)));
  }
  return bearer;
}

Result<void> Authority::adopt(const Bearer& bearer) {
  for (const auto& [serial, row] : store_.certificates()) {
    if (row.kind == bearer.kind && row.name == bearer.name &&
        row.revoked_ms > bearer.certificate.not_before_ms)
      return no_longer(bearer.kind,
                       fmt::format("{} was revoked at {}", bearer.name, format_rfc3339(row.revoked_ms)));
  }
  return store_.add_certificate({bearer.certificate.serial, bearer.kind, bearer.name,
                                 bearer.certificate.not_before_ms, bearer.certificate.not_after_ms, 0});
}

Result<Speaker> Authority::may_speak(std::string_view certificate, std::string_view host) {
  if (certificate.empty())
    return no_longer(Kind::host, "the agent shows no certificate: it has to enroll first");
  auto bearer = admit(certificate);
  if (!bearer) return bearer.error();
  if (bearer->kind != Kind::host || bearer->name != host) {
    return fail(Errc::permission, "the certificate is of the {} {}, not of the host {}",
                to_string(bearer->kind), bearer->name, host);
  }
  return Speaker{std::move(bearer->certificate.serial), bearer->certificate.not_after_ms};
}

std::vector<CertificateRow> Authority::certificates() {
  std::vector<CertificateRow> rows;
  {
    const std::lock_guard lock(mutex_);
    if (auto fresh = store_.refresh(); !fresh)
      log::warn("identity", "cannot look for new certificates", {{"error", fresh.error()}});
    for (const auto& [serial, row] : store_.certificates()) rows.push_back(row);
  }
  std::ranges::sort(rows, [](const CertificateRow& a, const CertificateRow& b) {
    return std::tie(a.kind, a.name, b.not_after_ms, a.serial) <
           std::tie(b.kind, b.name, a.not_after_ms, b.serial);
  });
  return rows;
}

Result<std::vector<InviteRow>> Authority::invites() {
  const std::lock_guard lock(mutex_);
  return store_.open_invites(options_.now_ms());
}

std::vector<std::string> Authority::server_names() const {
  const auto text = config::read_private_key(server_path(options_.folder));
  auto names = text ? tls::server_hosts(*text) : Result<std::vector<std::string>>(text.error());
  return names ? std::move(*names) : std::vector<std::string>();
}

tls::CertificateInfo Authority::own() const {
  const std::lock_guard lock(mutex_);
  return own_;
}

/// Its fingerprint becomes another one. Who was invited with the present one cannot enroll with it any more:
/// that is waited for, for as long as there is time.
Result<void> Authority::renew_own(std::int64_t now_ms) {
  const auto waiting = store_.open_invites(now_ms);
  if (!waiting) return waiting.error();
  const bool has_time = own_.not_after_ms - now_ms > (own_.not_after_ms - own_.not_before_ms) / 4;
  if (has_time && !waiting->empty()) return {};
  const auto renewed = renew_authority(options_.folder, now_ms);
  if (!renewed || !*renewed) return renewed ? Result<void>() : renewed.error();
  auto signer = read_authority(options_.folder);
  if (!signer) return signer.error();
  auto own = tls::read_certificate(signer->certificate);
  if (!own) return own.error();
  signer_ = std::move(*signer);
  own_ = std::move(*own);
  log::info("identity", "the authority's certificate is renewed; hosts get it with their next one",
            {{"until", format_rfc3339(own_.not_after_ms)}, {"fingerprint", "sha256:" + own_.fingerprint}});
  return {};
}

Result<void> Authority::tend() {
  const std::int64_t now_ms = options_.now_ms();
  const std::int64_t every = std::min<std::int64_t>(
      kTendEveryMs, std::max<std::int64_t>(options_.lives.server.count() / 20, kTendSoonMs));
  const std::lock_guard lock(mutex_);
  if (tended_ms_ != 0 && now_ms >= tended_ms_ && now_ms - tended_ms_ < every) return {};
  tended_ms_ = now_ms;
  if (auto done = renew_own(now_ms); !done) return done;
  const auto renewed = renew_server(options_.folder, {now_ms, options_.lives.server});
  if (!renewed) return renewed.error();
  return store_.forget(now_ms - kRememberMs);
}

}  // namespace vigil::aggregator::identity
