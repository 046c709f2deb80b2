#include "aggregator/identity/authority.h"

#include "aggregator/identity/name_pattern.h"
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
constexpr std::size_t kMostRemembered = 1024;  // certificates, of 1 KiB or so
constexpr std::size_t kMostCertificateBytes = 16 << 10;

/// Of a host whose name is not known.
Error invite_again(std::string_view why, std::string_view name = "NAME") {
  return fail(Errc::permission, "{}; on the aggregator's side: vigil agent invite --name {}", why, name);
}

Error no_longer(Kind kind, std::string_view name, std::string_view why) {
  if (kind == Kind::host)
    return fail(
        Errc::permission,
        "{}; on the aggregator's side: vigil agent invite --name {} --replace, and on the host the line "
        "it prints, with --force",
        why, name);
  return fail(Errc::permission,
              "{}; on the aggregator's side: vigil certificate issue --person {} --out FOLDER", why, name);
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

Result<void> check_person_name(std::string_view name) {
  const bool valid =
      !name.empty() && name.size() <= kMostNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("._@-").find(c) != std::string_view::npos;
      });
  if (!valid)
    return fail(Errc::invalid_argument, "name: '{}' must be 1 to {} letters, digits and . _ @ -",
                wire::clean_text(name), kMostNameBytes);
  if (name == "ca")
    return fail(Errc::invalid_argument,
                "name: 'ca' is nobody's: the certificate would be kept as ca.pem, which is the authority's");
  return {};
}

Result<std::unique_ptr<Authority>> Authority::open(AuthorityOptions options) {
  if (auto complete = check_complete(options.folder); !complete) return complete.error();
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

/// Makes the token. The lock is held.
Result<Invitation> Authority::keep(InviteRow row, milliseconds ttl, milliseconds longest) {
  if (ttl.count() == 0) ttl = kUsualInvitation;
  if (ttl < milliseconds(1000) || ttl > longest)
    return fail(Errc::invalid_argument, "ttl: must be 1s to {}", format_duration(longest));
  auto token = tls::make_token();
  if (!token) return token.error();
  const std::int64_t now_ms = options_.now_ms();
  row.token_hash = tls::digest_of(*token);
  row.expires_ms = now_ms + ttl.count();
  if (auto added = store_.add_invite(row, now_ms); !added) return added.error();
  return Invitation{row.id(), std::move(*token), row.expires_ms, own_.fingerprint};
}

Result<Invitation> Authority::invite(const std::string& name, milliseconds ttl, Replace replace,
                                     const std::string& made_by) {
  if (!wire::valid_host_name(name)) {
    return fail(Errc::invalid_argument, "name: '{}' must be 1 to {} letters, digits and . _ : -",
                wire::clean_text(name), wire::kMaxHostBytes);
  }
  const std::lock_guard lock(mutex_);
  if (replace == Replace::refused && !good_serials(Kind::host, name, options_.now_ms()).empty()) {
    return fail(
        Errc::conflict,
        "{} has a certificate: --replace makes another one take its place, vigil agent revoke {} ends it",
        name, name);
  }
  InviteRow row;
  row.name = name;
  row.replace = replace == Replace::allowed;
  row.made_by = made_by;
  return keep(std::move(row), ttl, kLongestInvitation);
}

Result<Invitation> Authority::invite_many(const Many& many, milliseconds ttl, const std::string& made_by) {
  if (!valid_name_pattern(many.pattern)) {
    return fail(Errc::invalid_argument,
                "name-pattern: '{}' must be 1 to {} letters, digits and . _ : -, and a * for what differs",
                wire::clean_text(many.pattern), wire::kMaxHostBytes);
  }
  if (many.uses < 1 && many.uses != kAnyNumber)
    return fail(Errc::invalid_argument, "uses: must be 1 or more, or unlimited");
  InviteRow row;
  row.name = many.pattern;
  row.made_by = made_by;
  row.for_many = true;
  row.uses = many.uses;
  const std::lock_guard lock(mutex_);
  return keep(std::move(row), ttl, kLongestInvitationOfMany);
}

namespace {

/// Why a token that is known counts no more; "": it does.
std::string why_over(const InviteRow& invite, std::int64_t now_ms) {
  switch (invite.ended) {
    case Ended::no:
      break;
    case Ended::revoked:
      return "the invitation was revoked";
    case Ended::in_backup:
    case Ended::restored:
      return "the aggregator was restored from a backup, which cannot know what became of the invitations of "
             "before: this one counts no more";
  }
  if (invite.used_ms != 0 && !invite.for_many)
    return fmt::format(
        "the token was used already; if {0} did not get its answer: vigil agent invite --name "
        "{0} --replace",
        invite.name);
  if (invite.used_ms != 0)
    return fmt::format("the token was used already, by {}: for so many it was made",
                       counted(static_cast<std::size_t>(invite.used), "host"));
  return now_ms >= invite.expires_ms ? "the token expired at " + format_rfc3339(invite.expires_ms) : "";
}

}  // namespace

/// Who took a revoked host's key may have the token of its invitation, too: so it does not let that name in
/// again by itself.
Result<void> Authority::check_readmitted(const InviteRow& invite, const std::string& name) {
  std::int64_t revoked_ms = 0;
  for (const auto& [serial, row] : store_.certificates()) {
    if (row.kind == Kind::host && row.name == name) revoked_ms = std::max(revoked_ms, row.revoked_ms);
  }
  if (revoked_ms == 0 || revoked_ms < invite.created_ms) return {};
  const auto readmitted = store_.readmitted(name);
  if (!readmitted) return readmitted.error();
  if (*readmitted && **readmitted >= revoked_ms) return {};
  return fail(Errc::conflict,
              "{0} was revoked at {1}, after this invitation was made: if it is to come again, on the "
              "aggregator's side: vigil agent readmit {0}",
              name, format_rfc3339(revoked_ms));
}

/// What the host will be called.
Result<std::string> Authority::name_for(const InviteRow& invite, std::string_view said, std::int64_t now_ms) {
  if (!invite.for_many) {
    if (invite.replace || good_serials(Kind::host, invite.name, now_ms).empty()) return invite.name;
    return fail(Errc::conflict, "{} has got a certificate meanwhile: vigil agent invite --name {} --replace",
                invite.name, invite.name);
  }
  std::string name(said);
  if (!wire::valid_host_name(name) || !fits(name, invite.name)) {
    return fail(Errc::conflict,
                "the invitation is for hosts whose names are like {}, and this one calls itself '{}': "
                "vigil-agent enroll --name says another",
                invite.name, wire::clean_text(name));
  }
  if (!good_serials(Kind::host, name, now_ms).empty()) {
    return fail(Errc::conflict,
                "{0} has a certificate that is good, which an invitation for many does not take from it: has "
                "this host lost it, on the aggregator's side: vigil agent readmit {0}; else it needs another "
                "name",
                name);
  }
  if (auto fine = check_readmitted(invite, name); !fine) return fine.error();
  return name;
}

/// The request proved that who asks holds the key, and to nobody else the certificate is worth anything.
Result<std::optional<Enrolled>> Authority::answered(const InviteRow& invite, const Arrival& arrival,
                                                    const std::string& key_hash, std::int64_t now_ms) {
  if (invite.ended != Ended::no) return std::optional<Enrolled>();
  auto before = store_.answer(invite.token_hash, key_hash, now_ms);
  if (!before) return before.error();
  if (!*before) return std::optional<Enrolled>();
  const CertificateRow* row = store_.certificate((*before)->serial);
  if (row == nullptr || row->revoked_ms != 0 || row->not_after_ms <= now_ms ||
      (invite.for_many && row->name != arrival.name))
    return std::optional<Enrolled>();
  return Enrolled{
      {std::move((*before)->certificate), signer_.certificate, row->name, row->serial, row->not_after_ms},
      invite.id(),
      invite.made_by,
      {},
      true};
}

Result<Enrolled> Authority::enroll(const Arrival& arrival) {
  const std::int64_t now_ms = options_.now_ms();
  auto enrolled = [&]() -> Result<Enrolled> {
    const std::lock_guard lock(mutex_);
    const std::string hash = tls::digest_of(arrival.token);
    const auto invite = store_.invite(hash);
    if (!invite) return invite.error();
    if (!*invite)
      return invite_again(
          "the token is not known here: another aggregator made it, or it was not copied whole");
    const InviteRow& row = **invite;
    // A request that is none is told so below, and by a token that counts.
    const auto key = tls::read_request(arrival.request);
    const std::string key_hash = key ? tls::digest_of(*key) : std::string();
    if (key) {
      if (auto fresh = store_.refresh(); !fresh) return fresh.error();
      auto before = answered(row, arrival, key_hash, now_ms);
      if (!before) return before.error();
      if (*before) return std::move(**before);
    }
    if (const std::string why = why_over(row, now_ms); !why.empty()) {
      if (row.used_ms != 0 && !row.for_many && row.ended == Ended::no)
        return fail(Errc::permission, "{}", why);
      return row.for_many ? invite_again(why) : invite_again(why, row.name);
    }
    const auto name = name_for(row, arrival.name, now_ms);
    if (!name) return name.error();
    auto replaced = good_serials(Kind::host, *name, now_ms);
    auto made = sign({Kind::host, *name, options_.lives.host}, arrival.request, now_ms);
    if (!made) return made.error();
    const Answer answer{hash, key_hash, made->first.serial, made->first.certificate};
    if (auto done = store_.enrolled(answer, made->second, replaced, now_ms); !done) return done.error();
    return Enrolled{std::move(made->first), row.id(), row.made_by, std::move(replaced)};
  }();
  if (enrolled) tell(enrolled->replaced);
  return enrolled;
}

bool Authority::has_made(std::string_view token) {
  const std::lock_guard lock(mutex_);
  const auto invite = store_.invite(tls::digest_of(token));
  return invite && *invite;
}

Result<Issued> Authority::renew(std::string_view certificate, std::string_view request) {
  const auto bearer = admit(certificate);
  if (!bearer) return bearer.error();
  if (bearer->kind != Kind::host)
    return fail(Errc::permission, "only hosts renew their certificates by themselves");
  const std::int64_t now_ms = options_.now_ms();
  std::vector<std::string> replaced;
  auto renewed = [&]() -> Result<Issued> {
    const std::lock_guard lock(mutex_);
    // It may have been revoked since admit() looked.
    const CertificateRow* row = store_.certificate(bearer->certificate.serial);
    if (row == nullptr || row->revoked_ms != 0)
      return no_longer(Kind::host, bearer->name,
                       fmt::format("the certificate of {} was revoked", bearer->name));
    auto made = sign({Kind::host, bearer->name, options_.lives.host}, request, now_ms);
    if (!made) return made.error();
    auto room = make_room(bearer->name, now_ms);
    if (!room) return room.error();
    replaced = std::move(*room);
    if (auto added = store_.add_certificate(made->second); !added) return added.error();
    return std::move(made->first);
  }();
  tell(replaced);
  return renewed;
}

/// Whose certificates were revoked for one more; the lock is held.
Result<std::vector<std::string>> Authority::make_room(const std::string& host, std::int64_t now_ms) {
  const auto good = good_serials(Kind::host, host, now_ms);
  if (good.size() < kMostGood) return std::vector<std::string>();
  const CertificateRow* oldest = nullptr;
  for (const std::string& serial : good) {
    const CertificateRow* row = store_.certificate(serial);
    if (!shown_.contains(serial) && (oldest == nullptr || row->not_before_ms < oldest->not_before_ms))
      oldest = row;
  }
  if (oldest == nullptr)
    return fail(Errc::limit,
                "{} has {} certificates already, and uses them all: one of them must expire first", host,
                kMostGood);
  std::vector<std::string> serials{oldest->serial};
  if (auto done = store_.revoke(serials, now_ms); !done) return done.error();
  return serials;
}

Result<Issued> Authority::issue_person(const std::string& name, std::string_view request, milliseconds life) {
  if (auto named = check_person_name(name); !named) return named.error();
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

Result<Revoked> Authority::revoke_invitation(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto withdrawn = store_.withdraw_invite(id, options_.now_ms());
  if (!withdrawn) return withdrawn.error();
  if (*withdrawn == 0)
    return fail(Errc::not_found,
                "no invitation with the id {} is open: vigil agent list shows those that are",
                wire::clean_text(id));
  return Revoked{{}, *withdrawn};
}

Result<Revoked> Authority::readmit(const std::string& host) {
  const std::int64_t now_ms = options_.now_ms();
  Result<Revoked> revoked = [&]() -> Result<Revoked> {
    const std::lock_guard lock(mutex_);
    if (auto fresh = store_.refresh(); !fresh) return fresh.error();
    const bool is_known = std::ranges::any_of(store_.certificates(), [&](const auto& entry) {
      return entry.second.kind == Kind::host && entry.second.name == host;
    });
    if (!is_known)
      return fail(Errc::not_found, "no host {} was ever enrolled: it needs no more than an invitation",
                  wire::clean_text(host));
    const auto good = good_serials(Kind::host, host, now_ms);
    if (auto done = store_.readmit(host, good, now_ms); !done) return done.error();
    return Revoked{good, 0};
  }();
  if (revoked) tell(revoked->serials);
  return revoked;
}

/// Whom it names, if this authority signed it; nothing is said about time. Only what was signed here is
/// remembered, so nobody else can push it out.
Result<Bearer> Authority::signed_here(std::string_view certificate) {
  std::string authority;
  {
    const std::lock_guard lock(mutex_);
    const auto known = signed_here_.find(certificate);
    if (known != signed_here_.end()) return known->second;
    authority = signer_.certificate;
  }
  auto bearer = read_bearer(certificate);
  if (!bearer) return bearer;
  if (auto ours = tls::check_signed_by(certificate, authority); !ours) return ours.error();
  const std::lock_guard lock(mutex_);
  if (signed_here_.size() >= kMostRemembered) signed_here_.clear();
  signed_here_.emplace(certificate, *bearer);
  return bearer;
}

Result<Bearer> Authority::admit(std::string_view certificate) {
  auto bearer = signed_here(certificate);
  if (!bearer) return bearer;
  const std::int64_t now_ms = options_.now_ms();
  const tls::CertificateInfo& info = bearer->certificate;
  const std::lock_guard lock(mutex_);
  if (now_ms < info.not_before_ms) {
    return fail(Errc::permission, "the certificate of {} is good only from {}: one of the clocks is wrong",
                bearer->name, format_rfc3339(info.not_before_ms));
  }
  if (now_ms >= info.not_after_ms) {
    return no_longer(
        bearer->kind, bearer->name,
        fmt::format("the certificate of {} expired at {}", bearer->name, format_rfc3339(info.not_after_ms)));
  }
  const CertificateRow* row = store_.certificate(info.serial);
  if (row == nullptr) {  // perhaps of an init of a moment ago
    if (auto fresh = store_.refresh(); !fresh) return fresh.error();
    row = store_.certificate(info.serial);
  }
  if (row == nullptr) {
    if (auto adopted = adopt(*bearer); !adopted) return adopted.error();
  } else if (row->revoked_ms != 0) {
    return no_longer(bearer->kind, bearer->name,
                     fmt::format("the certificate of {} was revoked at {}", bearer->name,
                                 format_rfc3339(row->revoked_ms)));
  }
  shown_.insert(info.serial);
  return bearer;
}

Result<void> Authority::adopt(const Bearer& bearer) {
  const std::int64_t made_ms = made_at({bearer.certificate.not_before_ms, bearer.certificate.not_after_ms});
  for (const auto& [serial, row] : store_.certificates()) {
    if (row.kind == bearer.kind && row.name == bearer.name && row.revoked_ms > made_ms)
      return no_longer(bearer.kind, bearer.name,
                       fmt::format("{} was revoked at {}", bearer.name, format_rfc3339(row.revoked_ms)));
  }
  return store_.add_certificate({bearer.certificate.serial, bearer.kind, bearer.name,
                                 bearer.certificate.not_before_ms, bearer.certificate.not_after_ms, 0});
}

Result<Speaker> Authority::may_speak(std::string_view certificate, std::string_view host) {
  if (certificate.empty())
    return invite_again("the agent shows no certificate: it has to enroll first", host);
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
  const bool has_time = now_ms >= own_.not_before_ms &&
                        own_.not_after_ms - now_ms > (own_.not_after_ms - own_.not_before_ms) / 4;
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
  const auto restored = store_.say_restored(now_ms);
  if (!restored) return restored.error();
  if (*restored > 0)
    log::warn(
        "identity",
        "restored from a backup: invitations that were open when it was made count no more; invite those "
        "hosts again",
        {{"invitations", *restored}});
  if (auto done = renew_own(now_ms); !done) return done;
  const auto renewed = renew_server(options_.folder, {now_ms, options_.lives.server});
  if (!renewed) return renewed.error();
  if (auto forgot = store_.forget(now_ms - kRememberMs); !forgot) return forgot;
  std::erase_if(shown_, [this](const std::string& serial) { return store_.certificate(serial) == nullptr; });
  return {};
}

}  // namespace vigil::aggregator::identity
