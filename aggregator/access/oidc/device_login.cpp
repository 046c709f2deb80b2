#include "aggregator/access/oidc/device_login.h"

#include "aggregator/access/oidc/encoding.h"
#include "common/text/url_coding.h"
#include "common/text/utf8.h"

#include <algorithm>

namespace vigil::aggregator::access::oidc {
namespace {

constexpr std::string_view kDeviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
constexpr std::int64_t kUsualIntervalSeconds = 5;  // RFC 8628, section 3.2
constexpr std::int64_t kMostIntervalSeconds = 60;
constexpr std::int64_t kMostValidSeconds = 3600;
constexpr std::size_t kMostCodeBytes = 2048;
constexpr std::size_t kMostTextBytes = 512;  // of what a person reads
constexpr long kOk = 200;
constexpr long kServerError = 500;

std::int64_t seconds_in(const boost::json::object& object, std::string_view key, std::int64_t usual) {
  const auto* found = object.if_contains({key.data(), key.size()});
  if (found == nullptr || !found->is_int64()) return usual;
  return found->get_int64();
}

/// What a provider says of a refusal: `error`, and its description.
Error refusal(Errc code, const boost::json::object& said, long status) {
  const auto shown = [&said](const char* key) {
    return printable(text_in(said, key).substr(0, kMostTextBytes));
  };
  const std::string error = shown("error");
  const std::string description = shown("error_description");
  return fail(code, "the provider says no: {}{}{}", error.empty() ? fmt::format("HTTP {}", status) : error,
              description.empty() ? "" : ", ", description);
}

Errc code_of(std::string_view error) {
  if (error == "access_denied" || error == "invalid_grant") return Errc::permission;
  if (error == "expired_token") return Errc::timeout;
  if (error == "unauthorized_client" || error == "unsupported_grant_type") return Errc::unsupported;
  return Errc::conflict;
}

/// Errc::unavailable where the provider is in trouble, which may be over soon.
Result<boost::json::object> body_of(const WebReply& reply) {
  if (reply.status >= kServerError || reply.status == 429)
    return fail(Errc::unavailable, "the provider answers HTTP {}", reply.status);
  auto body = parse_strictly(reply.body);
  if (!body)
    return fail(Errc::unavailable, "the provider's answer, HTTP {}, is {}", reply.status,
                body.error().message);
  return body;
}

/// Anybody may send it, and what was not given by start() or a login need not get to the provider.
Result<void> check_size(std::string_view field, std::string_view text, std::size_t most) {
  if (!text.empty() && text.size() <= most) return {};
  return fail(Errc::invalid_argument, "{}: must have 1 to {} bytes", field, most);
}

/// It is shown to a person, who follows it.
bool is_page(const std::string& url, const std::string& issuer) {
  const bool is_as_safe = url.starts_with("https://") || !issuer.starts_with("https://");
  return is_as_safe && url.size() <= kMostTextBytes &&
         check_issuer_url(url.substr(0, url.find('?'))).has_value() && printable(url) == url &&
         url.find(' ') == std::string::npos;
}

}  // namespace

Result<WebReply> DeviceLogin::post(const std::string& url, Fields fields) {
  fields.emplace_back("client_id", people_.config().client_id);
  std::string form;
  for (const auto& [name, value] : fields)
    form += fmt::format("{}{}={}", form.empty() ? "" : "&", name, form_coded(value));
  WebRequest request{url, std::move(form)};
  if (!secret_.empty()) {  // as in a form, RFC 6749, section 2.3.1
    request.user = form_coded(people_.config().client_id);
    request.password = form_coded(secret_);
  }
  return web_.ask(request);
}

Result<Started> DeviceLogin::start() {
  const auto endpoints = people_.endpoints();
  if (!endpoints) return endpoints.error();
  if (endpoints->device_login.empty() || endpoints->token.empty())
    return fail(
        Errc::unsupported,
        "the provider {} has no device login (device_authorization_endpoint): use a token of its with "
        "--token-file",
        people_.config().issuer);
  const auto reply = post(endpoints->device_login, {{"scope", people_.config().asked_scopes()}});
  if (!reply) return reply.error();
  const auto body = body_of(*reply);
  if (!body) return body.error();
  if (reply->status != kOk) return refusal(code_of(text_in(*body, "error")), *body, reply->status);
  Started started;
  started.device_code = text_in(*body, "device_code");
  started.user_code = text_in(*body, "user_code");
  started.page = text_in(*body, "verification_uri");
  if (started.page.empty()) started.page = text_in(*body, "verification_url");  // Google's, of an older draft
  started.page_with_code = text_in(*body, "verification_uri_complete");
  const std::string& issuer = people_.config().issuer;
  if (!is_page(started.page_with_code, issuer)) started.page_with_code.clear();
  if (started.device_code.empty() || started.device_code.size() > kMostCodeBytes ||
      started.user_code.empty() || started.user_code.size() > kMostTextBytes ||
      printable(started.user_code) != started.user_code || !is_page(started.page, issuer))
    return fail(Errc::unavailable,
                "the provider's answer lacks a device_code, a user_code or a verification_uri that is https");
  started.valid_ms =
      std::clamp<std::int64_t>(seconds_in(*body, "expires_in", kMostValidSeconds), 1, kMostValidSeconds) *
      1000;
  started.interval_ms = std::clamp<std::int64_t>(seconds_in(*body, "interval", kUsualIntervalSeconds), 1,
                                                 kMostIntervalSeconds) *
                        1000;
  return started;
}

Result<Session> DeviceLogin::session_of(const WebReply& reply, const std::string& refresh_token) {
  const auto body = body_of(reply);
  if (!body) return body.error();
  // The ID token is made for us. A renewal need not bring one; then the access token may be of that form.
  std::string token = text_in(*body, "id_token");
  if (token.empty()) token = text_in(*body, "access_token");
  const Opinion opinion = people_.settle(token);
  switch (opinion.state) {
    case Opinion::State::known:
      break;
    case Opinion::State::wrong:
      return fail(Errc::conflict, "the provider gave a token that does not count here: {}", opinion.why);
    case Opinion::State::later:
    case Opinion::State::away:
    case Opinion::State::no_key:
      return fail(Errc::unavailable, "{}", opinion.why);
  }
  std::string next = text_in(*body, "refresh_token");
  if (next.empty() || next.size() > kMostTokenBytes) next = refresh_token;
  return Session{std::move(token), std::move(next), opinion.person};
}

Result<Polled> DeviceLogin::poll(const std::string& device_code) {
  if (auto fits = check_size("device_code", device_code, kMostCodeBytes); !fits) return fits.error();
  const auto endpoints = people_.endpoints();
  if (!endpoints) return endpoints.error();
  const auto reply =
      post(endpoints->token, {{"grant_type", std::string(kDeviceGrant)}, {"device_code", device_code}});
  if (!reply) return reply.error();
  if (reply->status == kOk) {
    auto session = session_of(*reply, "");
    if (!session) return session.error();
    return Polled{Polled::State::signed_in, std::move(*session)};
  }
  const auto body = body_of(*reply);
  if (!body) return body.error();
  const std::string error = text_in(*body, "error");
  if (error == "authorization_pending") return Polled{Polled::State::pending};
  if (error == "slow_down") return Polled{Polled::State::slow_down};
  if (error == "access_denied") return fail(Errc::permission, "the login was denied at the provider");
  if (error == "expired_token")
    return fail(Errc::timeout, "nobody signed in before the code expired: vigil login begins anew");
  return refusal(code_of(error), *body, reply->status);
}

Result<Session> DeviceLogin::renew(const std::string& refresh_token) {
  if (auto fits = check_size("refresh_token", refresh_token, kMostTokenBytes); !fits) return fits.error();
  const auto endpoints = people_.endpoints();
  if (!endpoints) return endpoints.error();
  const auto reply =
      post(endpoints->token, {{"grant_type", "refresh_token"}, {"refresh_token", refresh_token}});
  if (!reply) return reply.error();
  if (reply->status == kOk) {
    auto session = session_of(*reply, refresh_token);
    // It need not give an ID token (OpenID Connect Core, 12.2): then signing in again is what helps.
    if (!session && session.error().code == Errc::conflict)
      return fail(Errc::permission, "it cannot be renewed: {}", session.error().message);
    return session;
  }
  const auto body = body_of(*reply);
  if (!body) return body.error();
  return refusal(code_of(text_in(*body, "error")), *body, reply->status);
}

}  // namespace vigil::aggregator::access::oidc
