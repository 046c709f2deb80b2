// Tokens and users: who they are, and their rows in access.db. Looking one up touches memory only; a change
// is on the disk, with its entry in the audit log, before it counts. Any thread.
#pragma once

#include "aggregator/access/access_file.h"
#include "aggregator/access/audit.h"
#include "aggregator/access/role.h"
#include "common/error.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator::access {

struct Token {
  std::string name = {};
  Role role = Role::none;
  Area scope = Area::other;
  std::int64_t created_ms = 0;
  std::int64_t expires_ms = 0;        // 0: never
  std::int64_t last_used_day_ms = 0;  // 0: never
  std::string created_by = {};
};

struct User {
  std::string name;
  std::string password;  // its hash; "": none
  Role role = Role::none;
  std::int64_t created_ms = 0;
  std::int64_t changed_ms = 0;
};

/// What a user shall be.
struct UserChange {
  std::string name;
  std::string password;      // its hash; "": as it is
  std::optional<Role> role;  // nothing: as it is
  bool create = false;
};

/// One that lets nobody in any more.
struct RevokedToken {
  std::string name;
  std::int64_t at_ms = 0;
};

inline constexpr std::size_t kMostTokens = 10'000;
inline constexpr std::size_t kMostRevoked = 10'000;  // remembered; of more the latest
inline constexpr std::size_t kMostUsers = 10'000;
inline constexpr std::size_t kLeastPasswordBytes = 10;
inline constexpr std::size_t kMostPasswordBytes = 1024;

/// Errc::invalid_argument: letters, digits and . _ - @, at most 64.
Result<void> check_account_name(std::string_view name);
/// Errc::invalid_argument: too short or too long, or with control characters.
Result<void> check_password(std::string_view password);

class Accounts {
 public:
  /// Reads what there is. `file` and `audit` outlive this.
  static Result<std::unique_ptr<Accounts>> load(AccessFile& file, Audit& audit,
                                                std::function<std::int64_t()> now_ms);

  /// The token that is called so in full, unless it expired; notes that it is used today.
  std::optional<Token> find_token(std::string_view text);
  /// Why a token that was made here lets nobody in any more; nothing when it does, and of any other text.
  std::optional<std::string> why_over(std::string_view text) const;
  std::optional<User> find_user(std::string_view name) const;
  std::vector<Token> tokens() const;  // by name
  std::vector<User> users() const;

  /// Its text, which is kept nowhere. Errc::conflict: the name is taken.
  Result<std::string> create_token(Token token, const Actor& actor);
  Result<void> revoke_token(const std::string& name, const Actor& actor);
  Result<void> put_user(const UserChange& change, const Actor& actor);
  Result<void> remove_user(const std::string& name, const Actor& actor);
  /// Writes which tokens were used today: once a minute or so. What fails is written the next time.
  Result<void> write_use();
  /// Learns what another program wrote since: `vigil-aggregator init` beside this one. Once a second or so.
  Result<void> refresh();

 private:
  Accounts(AccessFile& file, Audit& audit, std::function<std::int64_t()> now_ms)
      : file_(file), audit_(audit), now_ms_(std::move(now_ms)) {}
  struct Rows {
    std::map<std::string, Token, std::less<>> tokens;
    std::map<std::string, RevokedToken, std::less<>> revoked;
    std::map<std::string, User, std::less<>> users;
  };
  static Result<void> read(Database& database, Rows& rows);
  Result<void> catch_up();
  void take(Rows rows);
  std::string digest_of(const std::string& name) const;
  void forget_revoked();

  AccessFile& file_;
  Audit& audit_;
  const std::function<std::int64_t()> now_ms_;
  std::mutex change_mutex_;        // one change at a time: held before mutex_; protects the next
  std::int64_t seen_version_ = 0;  // PRAGMA data_version: others' commits change it

  mutable std::shared_mutex mutex_;                           // protects what follows
  std::map<std::string, Token, std::less<>> tokens_;          // by digest
  std::map<std::string, RevokedToken, std::less<>> revoked_;  // the same
  std::map<std::string, User, std::less<>> users_;
  std::set<std::string> used_;  // names of tokens whose day is to be written
};

/// The role admin for a name that is no user yet; true: it is one now. For who sets an aggregator up:
/// `vigil-aggregator init`, who `actor` is.
Result<bool> ensure_admin(AccessFile& file, Audit& audit, const std::string& name, const Actor& actor,
                          const std::function<std::int64_t()>& now_ms);

}  // namespace vigil::aggregator::access
