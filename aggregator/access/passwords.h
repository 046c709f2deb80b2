// Whether a user's password is right, on a thread of its own: argon2id takes some 30 ms, and nobody else may
// wait for it. What was right lately is remembered for a short while, as a digest with a key that only this
// process knows.
#pragma once

#include "aggregator/access/accounts.h"
#include "common/threads/worker.h"

#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace vigil::aggregator::access {

class Passwords {
 public:
  static constexpr std::size_t kMostWaiting = 64;
  static constexpr std::size_t kMostRemembered = 256;
  static constexpr std::int64_t kRememberedMs = 300'000;

  /// `accounts` outlive this.
  Passwords(const Accounts& accounts, std::function<std::int64_t()> now_ms);
  ~Passwords() { stop(); }
  Passwords(const Passwords&) = delete;
  Passwords& operator=(const Passwords&) = delete;

  /// The user, where this was found right lately and neither user nor password changed since. Any thread, at
  /// once.
  std::optional<User> remembered(const std::string& name, const std::string& password) const;
  /// Calls `done` on this one's thread, with nothing where the password is wrong or there is no such user:
  /// that takes as long. False: too many wait, and `done` is not called.
  bool check(std::string name, std::string password, std::function<void(std::optional<User>)> done);
  void stop() { worker_.stop(); }

 private:
  struct Known {
    std::int64_t changed_ms = 0;  // of the user
    std::int64_t until_ms = 0;
  };
  std::string digest_of(const std::string& name, const std::string& password) const;
  void remember(const std::string& digest, const User& user);

  const Accounts& accounts_;
  const std::function<std::int64_t()> now_ms_;
  std::string key_;
  std::string decoy_;         // a hash of no password, for users that are not there
  mutable std::mutex mutex_;  // protects known_
  std::unordered_map<std::string, Known> known_;
  Worker worker_{"passwords", kMostWaiting};
};

}  // namespace vigil::aggregator::access
