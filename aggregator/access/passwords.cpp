#include "aggregator/access/passwords.h"

#include "aggregator/access/secrets.h"

namespace vigil::aggregator::access {

Passwords::Passwords(const Accounts& accounts, std::function<std::int64_t()> now_ms)
    : accounts_(accounts), now_ms_(std::move(now_ms)) {
  const auto key = new_token();
  if (key) key_ = *key;
  worker_.start();
  worker_.post([this] {  // it takes its time, and nobody needs it before the first check
    if (auto decoy = hash_password(key_)) decoy_ = std::move(*decoy);
  });
}

std::string Passwords::digest_of(const std::string& name, const std::string& password) const {
  return sha256(sha256(key_ + name) + sha256(key_ + password));
}

std::optional<User> Passwords::remembered(const std::string& name, const std::string& password) const {
  if (key_.empty()) return std::nullopt;
  auto user = accounts_.find_user(name);
  if (!user) return std::nullopt;
  const std::string digest = digest_of(name, password);
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(digest);
  if (found == known_.end()) return std::nullopt;
  const bool holds = found->second.changed_ms == user->changed_ms && now_ms_() < found->second.until_ms;
  return holds ? std::move(user) : std::nullopt;
}

void Passwords::remember(const std::string& digest, const User& user) {
  if (key_.empty()) return;
  const std::lock_guard lock(mutex_);
  const std::int64_t now = now_ms_();
  if (known_.size() >= kMostRemembered)
    std::erase_if(known_, [now](const auto& each) { return each.second.until_ms <= now; });
  if (known_.size() >= kMostRemembered) known_.erase(known_.begin());
  known_[digest] = {user.changed_ms, now + kRememberedMs};
}

bool Passwords::check(std::string name, std::string password, std::function<void(std::optional<User>)> done) {
  return worker_.post([this, name = std::move(name), password = std::move(password), done = std::move(done)] {
    auto user = accounts_.find_user(name);
    const bool has_password = user && !user->password.empty();
    const bool is_right = is_password(has_password ? user->password : decoy_, password) && has_password;
    if (!is_right) return done(std::nullopt);
    remember(digest_of(name, password), *user);
    done(std::move(user));
  });
}

}  // namespace vigil::aggregator::access
