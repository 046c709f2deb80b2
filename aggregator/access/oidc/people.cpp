#include "aggregator/access/oidc/people.h"

#include "aggregator/access/secrets.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::aggregator::access::oidc {
namespace {

using State = Opinion::State;

constexpr std::chrono::milliseconds kBeat{10'000};
constexpr long kFine = 200;

self::Counter& fetches(self::Registry& registry, const char* outcome) {
  return registry.counter(
      "vigil_aggregator_oidc_fetches_total",
      "Times the keys of the OpenID Connect provider were asked for, by what became of it.",
      {{"outcome", outcome}});
}

/// Whether `length_ms` have gone by since then; also when the clock was set back.
bool has_passed(std::int64_t since_ms, std::int64_t length_ms, std::int64_t now_ms) {
  return since_ms == INT64_MIN || now_ms < since_ms || now_ms - since_ms >= length_ms;
}

}  // namespace

People::People(OidcConfig config, Web web, std::function<std::int64_t()> now_ms, self::Registry& registry)
    : config_(std::move(config)),
      web_(std::move(web)),
      now_ms_(std::move(now_ms)),
      fetched_(fetches(registry, "ok")),
      failed_(fetches(registry, "failed")) {
  registry.collect(self::Kind::gauge, "vigil_aggregator_oidc_keys",
                   "Keys of the OpenID Connect provider that are known; 0: nobody comes in by it.", [this] {
                     const std::lock_guard lock(mutex_);
                     return issuer_ ? static_cast<double>(issuer_->keys.size()) : 0.0;
                   });
}

void People::start() {
  worker_.every(kBeat, [this] { keep_fresh(); });
  worker_.post([this] { refresh(); });
  worker_.start();
}

void People::keep_fresh() {
  {
    const std::lock_guard lock(mutex_);
    if (trouble_.empty() && !has_passed(fetched_ms_, kFreshMs, now_ms_())) return;
  }
  refresh();
}

bool People::may_fetch_locked() const {
  return has_passed(tried_ms_, kPauseMs, now_ms_());
}

Result<std::string> People::get(const std::string& url) {
  auto reply = web_.ask({url, std::nullopt});
  if (!reply) return reply.error();
  if (reply->status != kFine) return fail(Errc::unavailable, "{}: HTTP {}", url, reply->status);
  return std::move(reply->body);
}

Result<std::shared_ptr<const People::Issuer>> People::fetch() {
  const auto document = get(discovery_url(config_.issuer));
  if (!document) return document.error();
  auto endpoints = parse_discovery(*document, config_.issuer);
  if (!endpoints) return endpoints.error();
  auto text = get(endpoints->keys);
  if (!text) return text.error();
  auto keys = KeySet::parse(*text);
  if (!keys) return fail(keys.error().code, "{}: {}", endpoints->keys, keys.error().message);
  return std::make_shared<const Issuer>(Issuer{std::move(*endpoints), std::move(*text), std::move(*keys)});
}

void People::take_locked(std::shared_ptr<const Issuer> issuer) {
  // Who was let in by a key that is gone is looked at anew.
  if (issuer_ && issuer_->keys_text != issuer->keys_text) remembered_.clear();
  issuer_ = std::move(issuer);
  fetched_ms_ = now_ms_();
  if (!trouble_.empty()) log::info("access", "the OpenID issuer answers again", {{"issuer", config_.issuer}});
  trouble_.clear();
}

void People::refresh() {
  const std::lock_guard one(fetch_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (!may_fetch_locked()) return;
    fetching_ = true;
  }
  auto issuer = fetch();
  (issuer ? fetched_ : failed_).add();
  const std::lock_guard lock(mutex_);
  fetching_ = false;
  tried_ms_ = now_ms_();
  if (issuer) return take_locked(std::move(*issuer));
  if (trouble_.empty())
    log::warn("access",
              issuer_ ? "the OpenID issuer cannot be asked; the keys known of it still count"
                      : "the OpenID issuer cannot be asked; nobody comes in by it yet",
              {{"issuer", config_.issuer}, {"error", issuer.error()}});
  trouble_ = issuer.error().message;
}

std::string People::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void People::fetch_soon() {
  if (fetch_asked_.exchange(true)) return;
  const bool queued = worker_.post([this] {
    fetch_asked_ = false;
    refresh();
  });
  if (!queued) fetch_asked_ = false;
}

Result<Endpoints> People::endpoints() {
  {
    const std::lock_guard lock(mutex_);
    if (issuer_) return issuer_->endpoints;
  }
  refresh();
  const std::lock_guard lock(mutex_);
  if (issuer_) return issuer_->endpoints;
  return fail(Errc::unavailable, "the provider {} cannot be asked: {}", config_.issuer, trouble_);
}

void People::remember_locked(std::string digest, const Person& person) {
  const std::int64_t now = now_ms_();
  if (remembered_.size() >= kMostRemembered)
    std::erase_if(remembered_, [now](const auto& each) { return each.second.until_ms <= now; });
  if (remembered_.size() >= kMostRemembered) remembered_.erase(remembered_.begin());
  remembered_.insert_or_assign(std::move(digest), person);
}

Opinion People::look_at(std::string_view token) {
  const auto jwt = parse_jwt(token);
  if (!jwt) return {State::wrong, {}, jwt.error().message};
  // Before the signature: a token for somebody else makes nobody fetch keys.
  auto person = check_claims(jwt->claims, config_, now_ms_());
  if (!person) return {State::wrong, {}, person.error().message};
  std::shared_ptr<const Issuer> issuer;
  {
    const std::lock_guard lock(mutex_);
    issuer = issuer_;
  }
  switch (issuer ? issuer->keys.verify(*jwt) : KeySet::Outcome::unknown_key) {
    case KeySet::Outcome::wrong:
      return {State::wrong, {}, "the token is not signed by its issuer"};
    case KeySet::Outcome::right: {
      const std::lock_guard lock(mutex_);
      // Unless the keys were exchanged meanwhile.
      if (issuer == issuer_) remember_locked(sha256(token), *person);
      return {State::known, std::move(*person)};
    }
    case KeySet::Outcome::unknown_key:
      break;
  }
  const std::lock_guard lock(mutex_);
  if (fetching_ || may_fetch_locked())
    return {
        State::later, {}, "the key that signed the token is not known yet, its issuer is asked: try again"};
  if (!trouble_.empty())
    return {State::away,
            {},
            "the key that signed the token is not known, and its issuer cannot be asked: " + trouble_};
  return {State::no_key, {}, "the token is signed by a key that its issuer does not have"};
}

Opinion People::look(std::string_view token) {
  if (token.size() <= kMostTokenBytes) {
    const std::string digest = sha256(token);
    const std::lock_guard lock(mutex_);
    const auto found = remembered_.find(digest);
    if (found != remembered_.end() && now_ms_() < found->second.until_ms)
      return {State::known, found->second};
  }
  return look_at(token);
}

Opinion People::settle(std::string_view token) {
  Opinion opinion = look(token);
  if (opinion.state != State::later) return opinion;
  refresh();
  return look(token);
}

bool People::settle_later(std::string token, std::function<void(Opinion)> done) {
  return worker_.post([this, token = std::move(token), done = std::move(done)] { done(settle(token)); });
}

}  // namespace vigil::aggregator::access::oidc
