#include "aggregator/access/gatekeeper.h"

#include "aggregator/access/authorization.h"
#include "common/log/log.h"

namespace vigil::aggregator::access {
namespace {

using Answer = Verdict::Answer;

constexpr std::string_view kHostUri = "vigil:host:";
constexpr std::string_view kPersonUri = "vigil:person:";
constexpr double kFailuresPerMinute = 5;
constexpr double kOverPerMinute = 60;
constexpr std::size_t kMostSources = 10'000;
constexpr std::size_t kMostCallers = 10'000;
constexpr double kBurstSeconds = 10;
constexpr double kLinesPerMinute = 10;

/// What requests are counted by.
std::string key_of(const Caller& caller, const std::string& source) {
  if (caller.name.empty()) return fmt::format("{} {}", to_string(caller.kind), source);
  return fmt::format("{} {}", to_string(caller.kind), caller.name);
}

Caller of_user(const User& user) {
  return {Caller::Kind::user, user.name, user.role};
}

self::Counter& refusals(self::Registry& registry, const char* reason) {
  return registry.counter("vigil_aggregator_access_refused_total",
                          "Requests and calls not let in: a wrong credential, none where one is needed, one "
                          "that may not do this, or too many.",
                          {{"reason", reason}});
}

}  // namespace

Gatekeeper::Gatekeeper(Options options, Accounts& accounts, self::Registry& registry)
    : options_(std::move(options)),
      accounts_(accounts),
      failures_({kFailuresPerMinute / 60, kFailuresPerMinute, kMostSources}),
      over_({kOverPerMinute / 60, kOverPerMinute, kMostSources}),
      requests_({static_cast<double>(options_.config.max_requests),
                 options_.config.max_requests * kBurstSeconds, kMostCallers}),
      lines_(kLinesPerMinute),
      refused_wrong_(refusals(registry, "wrong")),
      refused_unknown_(refusals(registry, "none")),
      refused_role_(refusals(registry, "role")),
      refused_rate_(refusals(registry, "rate")),
      passwords_(accounts, options_.now_ms) {}

Caller Gatekeeper::by_place(Place place) const {
  Caller caller;
  switch (place) {
    case Place::socket:
      return {Caller::Kind::socket, "", Role::admin};
    case Place::loopback:
      caller = {Caller::Kind::loopback, "", options_.config.loopback};
      break;
    case Place::away:
      caller = {Caller::Kind::anonymous, "", options_.config.anonymous};
      break;
  }
  const Agents agents = options_.config.agents;
  caller.delivers = agents == Agents::anyone || (agents == Agents::automatic && !options_.has_client_ca);
  return caller;
}

/// The configuration can shut out who is named a host, and give it no other right.
Caller Gatekeeper::by_host(std::string name) const {
  const auto found = options_.config.certificates.find(name);
  const bool is_out = found != options_.config.certificates.end() && role_of(found->second) == Role::none;
  return {Caller::Kind::host, std::move(name), is_out ? Role::none : Role::agent};
}

Caller Gatekeeper::by_certificate(const CertificateNames& names) const {
  // One that says both is a host: the lesser right.
  for (const std::string& uri : names.uris) {
    if (uri.starts_with(kHostUri)) return by_host(uri.substr(kHostUri.size()));
  }
  for (const std::string& uri : names.uris) {
    if (!uri.starts_with(kPersonUri)) continue;
    const std::string name = uri.substr(kPersonUri.size());
    const auto user = accounts_.find_user(name);
    return {Caller::Kind::certificate, name, user ? user->role : Role::none};
  }
  const auto found = options_.config.certificates.find(names.common_name);
  if (found == options_.config.certificates.end())
    return {Caller::Kind::host, names.common_name, Role::agent};
  return {Caller::Kind::certificate, names.common_name, role_of(found->second).value_or(Role::none)};
}

bool Gatekeeper::is_for_people(const std::string& token) const {
  return options_.people != nullptr && oidc::looks_like_jwt(token);
}

Gatekeeper::Known Gatekeeper::known_by(oidc::Opinion opinion) {
  using State = Known::State;
  switch (opinion.state) {
    case oidc::Opinion::State::known:
      return {State::known, {Caller::Kind::oidc, std::move(opinion.person.name), opinion.person.role}};
    case oidc::Opinion::State::later:
      return {State::ask, {}, std::move(opinion.why)};
    case oidc::Opinion::State::away:
      return {State::away, {}, std::move(opinion.why)};
    case oidc::Opinion::State::no_key:
      return {State::no_key, {}, std::move(opinion.why)};
    case oidc::Opinion::State::wrong:
      break;
  }
  return {State::wrong, {}, std::move(opinion.why)};
}

Gatekeeper::Known Gatekeeper::find_person(const std::string& token) const {
  Known known = known_by(options_.people->look(token));
  if (known.state == Known::State::ask) options_.people->fetch_soon();  // over gRPC nobody can wait for it
  return known;
}

Gatekeeper::Known Gatekeeper::find_token(const std::string& text) const {
  using State = Known::State;
  if (const auto token = accounts_.find_token(text))
    return {State::known, {Caller::Kind::token, token->name, token->role, token->scope}};
  if (auto why = accounts_.why_over(text)) return {State::over, {}, std::move(*why)};
  return {State::wrong, {}, "the token is not known here"};
}

Gatekeeper::Known Gatekeeper::find_credential(const std::string& authorization) const {
  using State = Known::State;
  const auto credential = parse_authorization(authorization);
  if (!credential) return {State::wrong, {}, credential.error().message};
  if (const auto* bearer = std::get_if<Bearer>(&*credential)) {
    if (is_for_people(bearer->token)) return find_person(bearer->token);
    return find_token(bearer->token);
  }
  const Basic& basic = std::get<Basic>(*credential);
  const auto user = passwords_.remembered(basic.user, basic.password);
  if (!user) return {State::ask, {}};
  return {State::known, of_user(*user)};
}

/// What is shown for a call goes before what is shown for the connection: who has a host's certificate may
/// still be somebody with a token. A certificate goes before the place.
Gatekeeper::Known Gatekeeper::find(const Presented& presented) const {
  if (!presented.authorization.empty()) return find_credential(presented.authorization);
  if (presented.certificate) return {Known::State::known, by_certificate(*presented.certificate)};
  return {Known::State::known, by_place(presented.place)};
}

Caller Gatekeeper::identify(const Presented& presented) const {
  return find(presented).caller;
}

Verdict Gatekeeper::wrong(const std::string& source, std::string why) {
  refused_wrong_.add();
  // The last one that is looked at, so that the log has one line a minute of whoever goes on; and few of all,
  // for over gRPC somebody is a new source with each connection.
  const std::int64_t now_ms = options_.now_ms();
  if (!failures_.take(source, now_ms) || failures_.has(source, now_ms))
    return {Answer::unauthenticated, {}, std::move(why)};
  if (const auto left_out = lines_.take(now_ms))
    log::warn("access", "wrong credentials again and again: they are not looked at any more for a while",
              {{"source", source}, {"more_not_logged", *left_out}});
  return {Answer::unauthenticated, {}, std::move(why)};
}

/// A dashboard asks on with the token it has: told so sixty times a minute, and then to come less often.
Verdict Gatekeeper::over(const std::string& source, std::string why) {
  const std::int64_t now_ms = options_.now_ms();
  if (!over_.take(source, now_ms)) {
    refused_rate_.add();
    return {Answer::too_many, {}, std::move(why)};
  }
  refused_wrong_.add();
  if (over_.has(source, now_ms)) return {Answer::unauthenticated, {}, std::move(why)};
  if (const auto left_out = lines_.take(now_ms))
    log::warn("access", "a token that counts no more is shown again and again",
              {{"source", source}, {"error", why}, {"more_not_logged", *left_out}});
  return {Answer::unauthenticated, {}, std::move(why)};
}

Verdict Gatekeeper::judge(Caller caller, const std::string& source, const Need& need) {
  const bool is_limited =
      need.least != Role::none && need.least != Role::agent && need.area != Area::remote_write;
  if (is_limited && !requests_.take(key_of(caller, source), options_.now_ms())) {
    refused_rate_.add();
    return {Answer::too_many, std::move(caller),
            fmt::format("more than {} requests a second, access.max_requests", options_.config.max_requests)};
  }
  Verdict verdict = compare(std::move(caller), need);
  if (verdict.answer == Answer::unauthenticated) refused_unknown_.add();
  if (verdict.answer == Answer::forbidden) refused_role_.add();
  return verdict;
}

Verdict Gatekeeper::compare(Caller caller, const Need& need) const {
  if (may(caller, need)) return {Answer::yes, std::move(caller), ""};
  std::string why = too_little(caller, need);
  const bool is_placed = caller.kind == Caller::Kind::anonymous || caller.kind == Caller::Kind::loopback;
  return {is_placed ? Answer::unauthenticated : Answer::forbidden, std::move(caller), std::move(why)};
}

std::string Gatekeeper::too_little(const Caller& caller, const Need& need) const {
  switch (caller.kind) {
    case Caller::Kind::anonymous:
    case Caller::Kind::loopback:
      if (need.least == Role::agent)
        return "this needs the certificate of a host: its agent has to enroll first";
      return fmt::format("this needs the role {}: show a token or a certificate, or over HTTP a password",
                         to_string(need.least));
    case Caller::Kind::certificate:
      if (caller.role == Role::none && !options_.config.certificates.contains(caller.name) &&
          !accounts_.find_user(caller.name))
        return fmt::format(
            "there is no user {0}, whom the certificate names: vigil user add {0} --role {1} "
            "--no-password",
            caller.name, to_string(need.least));
      break;
    default:
      break;
  }
  if (caller.kind == Caller::Kind::oidc)
    return fmt::format("{} has the role {}, and this needs {}: access.oidc.roles and users say who has one",
                       caller.name, to_string(caller.role), to_string(need.least));
  if (caller.scope != Area::other)
    return fmt::format("the token {} is for {} only", caller.name, to_string(caller.scope));
  return fmt::format("{} {} has the role {}, and this needs {}", to_string(caller.kind), caller.name,
                     to_string(caller.role), to_string(need.least));
}

Verdict Gatekeeper::check_again(const Presented& presented, const Need& need) const {
  Known known = find(presented);
  switch (known.state) {
    case Known::State::known:
      return compare(std::move(known.caller), need);
    case Known::State::wrong:
    case Known::State::over:
    case Known::State::no_key:
      return {Answer::unauthenticated, {}, std::move(known.why)};
    case Known::State::ask:
    case Known::State::away:
      break;
  }
  return {Answer::yes, std::move(known.caller), ""};
}

Verdict Gatekeeper::check(const Presented& presented, const Need& need) {
  const bool shows = !presented.authorization.empty();
  if (need.least == Role::none && !shows) return {Answer::yes, find(presented).caller, ""};
  if (shows && !failures_.has(presented.source, options_.now_ms())) {
    refused_rate_.add();
    return {Answer::too_many, {}, "too many wrong credentials: try again in a minute"};
  }
  return settle(find(presented), presented.source, need);
}

Verdict Gatekeeper::settle(Known known, const std::string& source, const Need& need) {
  switch (known.state) {
    case Known::State::ask:
      return {Answer::ask_slowly, {}, std::move(known.why)};
    case Known::State::wrong:
      return wrong(source, std::move(known.why));
    case Known::State::over:
      return over(source, std::move(known.why));
    case Known::State::away:
    case Known::State::no_key:
      refused_wrong_.add();
      return {Answer::unauthenticated, {}, std::move(known.why)};
    case Known::State::known:
      break;
  }
  return judge(std::move(known.caller), source, need);
}

void Gatekeeper::check_person(const std::string& token, const Presented& presented, const Need& need,
                              std::function<void(Verdict)> done) {
  const auto shared = std::make_shared<std::function<void(Verdict)>>(std::move(done));
  const bool queued = options_.people->settle_later(
      token, [this, shared, source = presented.source, need](oidc::Opinion opinion) {
        (*shared)(settle(known_by(std::move(opinion)), source, need));
      });
  if (queued) return;
  refused_rate_.add();
  (*shared)({Answer::too_many, {}, "too many tokens wait for the provider to be asked: try again"});
}

void Gatekeeper::check_slowly(const Presented& presented, const Need& need,
                              std::function<void(Verdict)> done) {
  const auto credential = parse_authorization(presented.authorization);
  const auto* bearer = credential ? std::get_if<Bearer>(&*credential) : nullptr;
  if (bearer != nullptr && is_for_people(bearer->token))
    return check_person(bearer->token, presented, need, std::move(done));
  const auto* basic = credential ? std::get_if<Basic>(&*credential) : nullptr;
  if (basic == nullptr) return done(check(presented, need));
  const auto shared = std::make_shared<std::function<void(Verdict)>>(std::move(done));
  const bool queued = passwords_.check(
      basic->user, basic->password,
      [this, shared, source = presented.source, need](const std::optional<User>& user) {
        // Others of the same source may have been wrong while this one waited.
        if (!user && !failures_.has(source, options_.now_ms())) {
          refused_rate_.add();
          return (*shared)({Answer::too_many, {}, "too many wrong credentials: try again in a minute"});
        }
        (*shared)(user ? judge(of_user(*user), source, need) : wrong(source, "user or password is wrong"));
      });
  if (queued) return;
  refused_rate_.add();
  (*shared)({Answer::too_many, {}, "too many passwords wait to be looked at: try again"});
}

}  // namespace vigil::aggregator::access
