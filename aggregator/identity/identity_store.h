// identity.db: invitations and the certificates that were issued. What became of them is known in memory too,
// so that a Hello waits for no disk.
//
// A rollback journal, not a write-ahead log: `vigil-aggregator init` may write while the aggregator runs, and
// writes are few. synchronous=FULL: a token that was used is used after a power cut as well.
#pragma once

#include "aggregator/store/sqlite.h"
#include "common/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator::identity {

enum class Kind : std::uint8_t { host, person };
std::string_view to_string(Kind kind);
std::optional<Kind> parse_kind(std::string_view text);

struct CertificateRow {
  std::string serial;  // hex, lower case
  Kind kind = Kind::host;
  std::string name;
  std::int64_t not_before_ms = 0;
  std::int64_t not_after_ms = 0;
  std::int64_t revoked_ms = 0;  // 0: it was not
};

/// What ended an invitation before its time.
enum class Ended : std::uint8_t {
  no,
  revoked,
  in_backup,  // it is a copy's, which cannot know what came of it since; the log says so at the next start
  restored    // the same, and said
};

/// How many characters of a token's hash an invitation is called by.
inline constexpr std::size_t kInviteIdDigits = 8;
/// InviteRow::uses of an invitation without an end but its time's.
inline constexpr std::int32_t kAnyNumber = -1;

struct InviteRow {
  std::string token_hash;  // SHA-256, hex
  std::string name;        // the host's; for_many: what names are like (name_pattern.h)
  std::int64_t expires_ms = 0;
  std::int64_t used_ms = 0;  // when it was used for the last time it is good for; 0: it was not
  bool replace = false;
  std::string made_by = {};  // who invited, in words; "": nobody knows any more
  bool for_many = false;
  std::int32_t uses = 1;  // for how many hosts, or kAnyNumber
  std::int32_t used = 0;  // by how many
  Ended ended = Ended::no;
  std::int64_t created_ms = 0;

  /// What people call it by.
  std::string id() const { return token_hash.substr(0, kInviteIdDigits); }
};

/// How long the answer to an invitation is given again, to whom it did not reach.
inline constexpr std::int64_t kAnswerAgainMs = 86'400'000;

/// What a host was given for a token. Only the key that it was made for can use it.
struct Answer {
  std::string token_hash;  // SHA-256, hex
  std::string key_hash;    // of the public key, SHA-256, hex
  std::string serial;      // of the certificate
  std::string certificate;
};

/// Open invitations of a file that is a copy, for a backup, are good no longer: whether one was used or
/// revoked after the backup nobody knows who has only that.
Result<void> end_invites_of_copy(const std::string& path);

/// Not thread-safe: its owner has a lock.
class IdentityStore {
 public:
  /// Makes the file, with mode 0600, when it is not there. Errc::unsupported: it is newer than this program,
  /// or another program's.
  static Result<IdentityStore> open(const std::string& path);

  /// `created_ms`, `used` and `ended` of the row do not count: it is made now, and open.
  Result<void> add_invite(const InviteRow& invite, std::int64_t now_ms);
  Result<std::optional<InviteRow>> invite(const std::string& token_hash);
  /// Those that are neither used, nor expired, nor ended, by name.
  Result<std::vector<InviteRow>> open_invites(std::int64_t now_ms);
  /// Open invitations of a name are good no longer; how many there were.
  Result<std::uint32_t> withdraw_invites(const std::string& name, std::int64_t now_ms);
  /// The same of the one with this id.
  Result<std::uint32_t> withdraw_invite(const std::string& id, std::int64_t now_ms);
  /// How many invitations of the backup that this file was restored from are good no longer, and were not
  /// said to be so; they are from now on.
  Result<std::uint32_t> say_restored(std::int64_t now_ms);
  /// Forgets invitations and certificates that expired before; none that was revoked, since it would count
  /// again where the clock was ahead and is set right.
  Result<void> forget(std::int64_t ended_before_ms);

  /// In one transaction: the token is used, the certificate and the answer noted, and those named in
  /// `revoked` revoked. Errc::conflict: somebody else used the token meanwhile.
  Result<void> enrolled(const Answer& answer, const CertificateRow& issued,
                        const std::vector<std::string>& revoked, std::int64_t now_ms);
  /// What this key was given for this token, less than kAnswerAgainMs ago.
  Result<std::optional<Answer>> answer(const std::string& token_hash, const std::string& key_hash,
                                       std::int64_t now_ms);
  Result<void> add_certificate(const CertificateRow& issued);
  Result<void> revoke(const std::vector<std::string>& serials, std::int64_t now_ms);
  /// In one transaction: these are revoked, and the host may come again by an invitation for many.
  Result<void> readmit(const std::string& host, const std::vector<std::string>& serials, std::int64_t now_ms);
  /// When that was said of the host for the last time; nothing: never.
  Result<std::optional<std::int64_t>> readmitted(const std::string& host);

  /// Learns of certificates that another program noted since: `vigil-aggregator init` beside this one.
  Result<void> refresh();
  const CertificateRow* certificate(const std::string& serial) const;
  const std::unordered_map<std::string, CertificateRow>& certificates() const { return by_serial_; }

 private:
  explicit IdentityStore(Database database) : database_(std::move(database)) {}
  Result<void> load();
  /// `sql` ends with ?1 those that ?3 says, at ?2; how many.
  Result<std::uint32_t> end_invites(std::string_view sql, const std::string& which, std::int64_t now_ms);
  Result<void> note(const CertificateRow& issued);
  Result<void> keep_answer(const Answer& answer, std::int64_t now_ms);
  Result<void> mark_revoked(const std::vector<std::string>& serials, std::int64_t now_ms);
  void remember_revoked(const std::vector<std::string>& serials, std::int64_t now_ms);
  template <class Work>
  Result<void> in_transaction(Work work);

  Database database_;
  std::unordered_map<std::string, CertificateRow> by_serial_;
  std::int64_t seen_version_ = 0;  // PRAGMA data_version: others' commits change it
};

}  // namespace vigil::aggregator::identity
