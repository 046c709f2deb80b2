// The logins of `vigil login`: which token is shown to which aggregator, in a file of the user's own, and how
// a token is renewed before it ends. Several commands at once do not disturb each other: a provider may take
// each refresh token only once.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace vigil::cli {

struct Login {
  std::string aggregator;  // its address as --aggregator has it
  std::string name;
  std::string token;
  std::string refresh_token;    // "": it cannot be renewed
  std::int64_t expires_ms = 0;  // from when on the aggregator refuses the token
};

/// $XDG_CONFIG_HOME/vigil/logins.json, or below ~/.config; "" where there is no home.
std::string logins_path();

class Logins {
 public:
  explicit Logins(std::string path) : path_(std::move(path)) {}

  /// Nothing: there is none for this aggregator. Errors name the file.
  Result<std::optional<Login>> find(const std::string& aggregator) const;
  /// Whether this user does not get at the file: HOME is another's, as after setpriv or runuser.
  bool is_out_of_reach() const;
  /// In place of the one there was for that aggregator. The file is readable by its owner only.
  Result<void> put(const Login& login);
  /// False: there was none.
  Result<bool> remove(const std::string& aggregator);

  /// Asks the aggregator for the next token.
  using Renew = std::function<Result<Login>(const Login& old)>;
  /// The login with a token that is good for a while: as it is, as somebody else just renewed it, or renewed
  /// now. Where it cannot be renewed, as it is until it ends. Errc::permission: sign in again.
  Result<Login> fresh(const Login& login, const Renew& renew, std::int64_t now_ms);

 private:
  const std::string path_;
};

struct LoginToken {
  std::string text;     // "": nobody is signed in at this aggregator
  std::string trouble;  // why that is not known; of interest only where a login is needed
};

/// What is shown with each call of a command, which may last longer than a token. Any thread.
class LoginTokens {
 public:
  LoginTokens(Logins logins, std::string aggregator, Logins::Renew renew)
      : logins_(std::move(logins)), aggregator_(std::move(aggregator)), renew_(std::move(renew)) {}
  Result<LoginToken> token(std::int64_t now_ms);

 private:
  std::mutex mutex_;  // protects what follows
  Logins logins_;
  const std::string aggregator_;
  const Logins::Renew renew_;
  bool looked_ = false;
  std::optional<Login> login_;
  std::string trouble_;
};

}  // namespace vigil::cli
