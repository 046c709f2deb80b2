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

struct InviteRow {
  std::string token_hash;  // SHA-256, hex
  std::string name;
  std::int64_t expires_ms = 0;
  std::int64_t used_ms = 0;  // 0: it was not
  bool replace = false;
  std::string made_by = {};  // who invited, in words; "": nobody knows any more

  /// What people call it by.
  std::string id() const { return token_hash.substr(0, 8); }
};

/// Not thread-safe: its owner has a lock.
class IdentityStore {
 public:
  /// Makes the file, with mode 0600, when it is not there. Errc::unsupported: it is newer than this program,
  /// or another program's.
  static Result<IdentityStore> open(const std::string& path);

  Result<void> add_invite(const InviteRow& invite, std::int64_t now_ms);
  Result<std::optional<InviteRow>> invite(const std::string& token_hash);
  /// Those that are neither used nor expired, by name.
  Result<std::vector<InviteRow>> open_invites(std::int64_t now_ms);
  /// Open invitations of a name are good no longer; how many there were.
  Result<std::uint32_t> withdraw_invites(const std::string& name, std::int64_t now_ms);
  /// Forgets invitations and certificates that expired before.
  Result<void> forget(std::int64_t ended_before_ms);

  /// In one transaction: the token is used, the certificate noted, and those named in `revoked` revoked.
  /// Errc::conflict: somebody else used the token meanwhile.
  Result<void> enrolled(const std::string& token_hash, const CertificateRow& issued,
                        const std::vector<std::string>& revoked, std::int64_t now_ms);
  Result<void> add_certificate(const CertificateRow& issued);
  Result<void> revoke(const std::vector<std::string>& serials, std::int64_t now_ms);

  /// Learns of certificates that another program noted since: `vigil-aggregator init` beside this one.
  Result<void> refresh();
  const CertificateRow* certificate(const std::string& serial) const;
  const std::unordered_map<std::string, CertificateRow>& certificates() const { return by_serial_; }

 private:
  explicit IdentityStore(Database database) : database_(std::move(database)) {}
  Result<void> load();
  Result<void> note(const CertificateRow& issued);
  Result<void> mark_revoked(const std::vector<std::string>& serials, std::int64_t now_ms);
  void remember_revoked(const std::vector<std::string>& serials, std::int64_t now_ms);
  template <class Work>
  Result<void> in_transaction(Work work);

  Database database_;
  std::unordered_map<std::string, CertificateRow> by_serial_;
  std::int64_t seen_version_ = 0;  // PRAGMA data_version: others' commits change it
};

}  // namespace vigil::aggregator::identity
