// The aggregator's own authority: invites hosts, gives certificates for tokens, and says whether a
// certificate counts.
//
// A certificate counts while its time lasts, this authority signed it, it names one host or one person, and
// it was not revoked. One that is not in identity.db, which came from a backup, counts too and is noted:
// whoever restores yesterday's data does not lock out what was renewed since. A name that was revoked after
// it was issued keeps it out all the same. So identity.db must be there, and never forgets who was revoked.
#pragma once

#include "aggregator/identity/authority_files.h"
#include "aggregator/identity/identity_store.h"
#include "aggregator/identity/speaker.h"
#include "common/tls/certificate.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace vigil::aggregator::identity {

inline constexpr std::chrono::milliseconds kUsualInvitation{15 * 60'000};
inline constexpr std::chrono::milliseconds kLongestInvitation{7 * 86'400'000LL};
/// Of many: machines that come next month read it from where it was put today.
inline constexpr std::chrono::milliseconds kLongestInvitationOfMany{366 * 86'400'000LL};

/// How long certificates are good.
struct Lives {
  std::chrono::milliseconds host = std::chrono::hours(24 * 90);
  std::chrono::milliseconds person = std::chrono::hours(24 * 90);
  std::chrono::milliseconds server = std::chrono::hours(24 * 365);
};

struct AuthorityOptions {
  std::string folder;  // identity/ of the data folder
  Lives lives{};
  std::function<std::int64_t()> now_ms;  // our clock, Unix milliseconds
};

enum class Replace : std::uint8_t { refused, allowed };

/// Whom an invitation is for that is for more than one host, each of which says its own name.
struct Many {
  std::string pattern;    // what their names are like, see name_pattern.h
  std::int32_t uses = 1;  // how many may come, or kAnyNumber
};

/// What a host sends that was invited.
struct Arrival {
  std::string_view token;
  std::string_view request;
  std::string_view name = {};  // what it calls itself; counts where the invitation is for many
};

struct Invitation {
  std::string id;  // what people call it by: no secret
  std::string token;
  std::int64_t expires_ms = 0;
  std::string fingerprint;  // of the authority
};

struct Issued {
  std::string certificate;
  std::string authority;
  std::string name;
  std::string serial;
  std::int64_t not_after_ms = 0;
};

/// A host that came by an invitation.
struct Enrolled {
  Issued issued;
  std::string invitation;             // its id
  std::string invited_by;             // "": nobody knows any more
  std::vector<std::string> replaced;  // serials that count no more
  bool again = false;                 // what it was given before, and perhaps did not get
};

/// Whom a certificate names.
struct Bearer {
  Kind kind = Kind::host;
  std::string name;
  tls::CertificateInfo certificate;
};

struct Revoked {
  std::vector<std::string> serials;  // that were good until now
  std::uint32_t invites = 0;
};

/// Thread-safe. Its functions wait for the disk; admit() and may_speak() only for a certificate that
/// identity.db does not know.
class Authority {
 public:
  /// Of a folder that was set up. Errc::not_found: one of its files is gone, and what to do about it.
  static Result<std::unique_ptr<Authority>> open(AuthorityOptions options);

  /// Called with the serials of certificates that were good until now; on any thread, without a lock.
  void on_revoked(std::function<void(const std::vector<std::string>&)> callback) {
    on_revoked_ = std::move(callback);
  }

  /// `made_by`: who invites, in words, for the log of changes. Errc::conflict: the host has a certificate,
  /// and it is not to be replaced. Errc::invalid_argument.
  Result<Invitation> invite(const std::string& name, std::chrono::milliseconds ttl, Replace replace,
                            const std::string& made_by = {});
  /// One that hosts name themselves by. It gives no name that a certificate that is good has, nor one that
  /// was revoked since the invitation was made, unless readmit() came after. Errc::invalid_argument.
  Result<Invitation> invite_many(const Many& many, std::chrono::milliseconds ttl,
                                 const std::string& made_by = {});
  /// A host whose answer was lost gets it again, for the same token and key, for kAnswerAgainMs.
  /// Errc::permission: the token is unknown, used or over. Errc::conflict: the name is not to be had.
  /// Errc::parse, Errc::limit: the request.
  Result<Enrolled> enroll(const Arrival& arrival);
  /// Whether this is the token of an invitation that was made here, whatever became of it.
  bool has_made(std::string_view token);
  /// For a host that shows its certificate. Of too many that are good at a time the oldest that nobody has
  /// shown since we started makes room: the host never got it, or could not keep it. Errc::permission: it
  /// does not count. Errc::limit: all of them are in use.
  Result<Issued> renew(std::string_view certificate, std::string_view request);
  /// `life` 0: the usual one. Errc::invalid_argument: the name.
  Result<Issued> issue_person(const std::string& name, std::string_view request,
                              std::chrono::milliseconds life);

  /// Errc::not_found: there is nothing good of this name, or serial.
  Result<Revoked> revoke(Kind kind, const std::string& name);
  Result<Revoked> revoke_serial(const std::string& serial);
  /// Of the invitation with this id. Errc::not_found: it is not open.
  Result<Revoked> revoke_invitation(const std::string& id);
  /// The host lost its key, or is another machine now: what it had counts no more, and an invitation for many
  /// may give its name anew. Errc::not_found: there never was one.
  Result<Revoked> readmit(const std::string& host);

  /// Whom this certificate names, if it counts. Errc::permission, Errc::parse.
  Result<Bearer> admit(std::string_view certificate);
  /// Whether an agent with this certificate ("": it shows none) may speak for `host`.
  Result<Speaker> may_speak(std::string_view certificate, std::string_view host);

  std::vector<CertificateRow> certificates();
  Result<std::vector<InviteRow>> invites();
  /// Names and addresses of the aggregator's certificate, as it is by now; empty when it cannot be read.
  std::vector<std::string> server_names() const;

  /// The authority's certificate.
  tls::CertificateInfo own() const;

  /// Once a second, or as often as one likes: renews the aggregator's certificate and the authority's when
  /// they are due, and forgets what ended long ago. Errors are worth a line in the log.
  Result<void> tend();

 private:
  Authority(AuthorityOptions options, tls::Signer signer, tls::CertificateInfo own, IdentityStore store)
      : options_(std::move(options)),
        signer_(std::move(signer)),
        own_(std::move(own)),
        store_(std::move(store)) {}
  Result<Invitation> keep(InviteRow row, std::chrono::milliseconds ttl, std::chrono::milliseconds longest);
  Result<std::string> name_for(const InviteRow& invite, std::string_view said, std::int64_t now_ms);
  Result<std::optional<Enrolled>> answered(const InviteRow& invite, const Arrival& arrival,
                                           const std::string& key_hash, std::int64_t now_ms);
  Result<void> check_readmitted(const InviteRow& invite, const std::string& name);
  struct Wanted {
    Kind kind = Kind::host;
    std::string name;
    std::chrono::milliseconds life{};
  };
  Result<std::pair<Issued, CertificateRow>> sign(const Wanted& wanted, std::string_view request,
                                                 std::int64_t now_ms) const;
  Result<Bearer> signed_here(std::string_view certificate);
  std::vector<std::string> good_serials(Kind kind, std::string_view name, std::int64_t now_ms) const;
  Result<std::vector<std::string>> make_room(const std::string& host, std::int64_t now_ms);
  Result<void> adopt(const Bearer& bearer);
  Result<Revoked> revoke_locked(const std::vector<std::string>& serials, std::int64_t now_ms);
  void tell(const std::vector<std::string>& serials) const;
  Result<void> renew_own(std::int64_t now_ms);

  const AuthorityOptions options_;
  std::function<void(const std::vector<std::string>&)> on_revoked_;

  mutable std::mutex mutex_;  // protects what follows
  tls::Signer signer_;        // its certificate is renewed, its key stays
  tls::CertificateInfo own_;  // what that says
  IdentityStore store_;
  std::int64_t tended_ms_ = 0;
  /// Certificates whose signature was found good, by their text: to look again costs half a millisecond a
  /// call. Time and revocation are looked at each time all the same.
  std::map<std::string, Bearer, std::less<>> signed_here_;
  std::unordered_set<std::string> shown_;  // serials that counted when somebody showed them
};

/// A person's name is 1 to 64 of [A-Za-z0-9._@-], and not "ca": ca.pem, beside a person's certificate, is the
/// authority's.
Result<void> check_person_name(std::string_view name);

}  // namespace vigil::aggregator::identity
