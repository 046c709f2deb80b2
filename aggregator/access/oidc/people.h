// People that an OpenID Connect provider vouches for: whether a token that somebody shows is one of its, and
// who he is by it.
//
// Looking at a token touches memory only: the keys of the issuer are fetched by a thread of this class, at
// the start, every five minutes, and when a token names a key that is not known (the issuer has a new one),
// at most every ten seconds. While the issuer is away its last keys count. Tokens that were right are
// remembered by their digest until they end; other keys end that.
#pragma once

#include "aggregator/access/oidc/claims.h"
#include "aggregator/access/oidc/config.h"
#include "aggregator/access/oidc/discovery.h"
#include "aggregator/access/oidc/keys.h"
#include "aggregator/access/oidc/web.h"
#include "aggregator/access/role.h"
#include "aggregator/self/registry.h"
#include "common/threads/worker.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace vigil::aggregator::access::oidc {

struct Opinion {
  enum class State : std::uint8_t {
    known,
    wrong,  // no token of this issuer, or one that does not count any more
    later,  // its key is not known yet: settle() asks the issuer
    away,   // its key is not known, and the issuer does not answer
    no_key  // its issuer, asked just now, does not have the key
  } state = State::wrong;
  Person person = {};
  std::string why = {};
};

class People {
 public:
  static constexpr std::int64_t kFreshMs = 300'000;  // keys are fetched again
  static constexpr std::int64_t kPauseMs = 10'000;   // between two requests
  static constexpr std::size_t kMostRemembered = 4096;
  static constexpr std::size_t kMostWaiting = 64;

  /// `registry` outlives this.
  People(OidcConfig config, Web web, std::function<std::int64_t()> now_ms, self::Registry& registry);
  ~People() { stop(); }
  People(const People&) = delete;
  People& operator=(const People&) = delete;

  void start();
  /// Before stop(): whoever waits for the issuer need not any more.
  void hurry() const { web_.cut(); }
  void stop() {
    hurry();
    worker_.stop();
  }

  /// Any thread, at once.
  Opinion look(std::string_view token);
  /// Where look() says later: asks the issuer, where that was not done just now. Blocks.
  Opinion settle(std::string_view token);
  /// The same on this one's thread: `done` is called there. False: too many wait, and it is not called.
  bool settle_later(std::string token, std::function<void(Opinion)> done);
  /// Has the keys fetched where look() said later, for who cannot wait.
  void fetch_soon();
  /// Fetches the keys unless that was done just now. Blocks.
  void refresh();

  /// Errc::unavailable: the issuer was not reached yet.
  Result<Endpoints> endpoints();
  const OidcConfig& config() const { return config_; }
  /// Why the issuer could not be asked the latest time; "": it could.
  std::string trouble() const;

 private:
  struct Issuer {
    Endpoints endpoints;
    std::string keys_text;
    KeySet keys;
  };
  Result<std::shared_ptr<const Issuer>> fetch();
  Result<std::string> get(const std::string& url);
  bool may_fetch_locked() const;
  void take_locked(std::shared_ptr<const Issuer> issuer);
  void keep_fresh();
  Opinion look_at(std::string_view token);
  void remember_locked(std::string digest, const Person& person);

  const OidcConfig config_;
  const Web web_;
  const std::function<std::int64_t()> now_ms_;
  self::Counter& fetched_;
  self::Counter& failed_;

  std::mutex fetch_mutex_;  // one request at a time; held before mutex_

  mutable std::mutex mutex_;  // protects what follows
  std::shared_ptr<const Issuer> issuer_;
  std::int64_t tried_ms_ = INT64_MIN;
  std::int64_t fetched_ms_ = INT64_MIN;
  bool fetching_ = false;
  std::string trouble_;  // of the latest fetch; "": none
  std::unordered_map<std::string, Person> remembered_;

  std::atomic<bool> fetch_asked_ = false;  // and not begun
  Worker worker_{"oidc", kMostWaiting};
};

}  // namespace vigil::aggregator::access::oidc
