// login, logout: at the OpenID Connect provider of an aggregator, by the device authorization grant (RFC
// 8628).
#include "cli/client/logins.h"
#include "cli/commands/command.h"
#include "common/text/human.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace vigil::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSlower{5'000};  // RFC 8628, section 3.5
constexpr milliseconds kSlowest{60'000};

void say_where(const v1::StartLoginResponse& started) {
  fmt::print(stderr, "Sign in at {}\n  open   {}\n  enter  {}\n", printable(started.issuer()),
             printable(started.verification_uri()), printable(started.user_code()));
  if (!started.verification_uri_complete().empty())
    fmt::print(stderr, "  or open {}\n", printable(started.verification_uri_complete()));
}

/// Until somebody signed in, said no, or the code is too old.
Result<v1::LoginSession> wait_for(Client& client, const v1::StartLoginResponse& started) {
  v1::PollLoginRequest request;
  request.set_device_code(started.device_code());
  milliseconds pause(started.interval_ms());
  const auto deadline = std::chrono::steady_clock::now() + milliseconds(started.valid_for_ms());
  while (std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(pause);
    auto polled = client.poll_login(request);
    if (!polled) {
      // Away, or busy: less often, and on.
      const Errc code = polled.error().code;
      if (code != Errc::unavailable && code != Errc::limit) return polled.error();
      pause = std::min(pause * 2, kSlowest);
      continue;
    }
    if (polled->state() == v1::PollLoginResponse::STATE_SIGNED_IN) return polled->session();
    if (polled->state() == v1::PollLoginResponse::STATE_SLOW_DOWN) pause += kSlower;
  }
  return fail(Errc::timeout, "nobody signed in within {}: vigil login begins anew",
              format_duration(milliseconds(started.valid_for_ms())));
}

Login login_of(const std::string& aggregator, const v1::LoginSession& session) {
  return {aggregator, session.name(), session.token(), session.refresh_token(), session.expires_ms()};
}

/// Without what is shown otherwise: an old login must not keep a new one out.
std::unique_ptr<Client> plain_client(const ClientOptions& options) {
  ClientOptions plain = options;
  plain.token.clear();
  plain.token_source = {};
  return Client::create(plain);
}

Result<Exit> log_in(Context& context) {
  const ClientOptions& options = context.aggregator;
  if (!options.keeps_secrets)
    return fail(Errc::invalid_argument, "a login is not sent in plain text to {}: use --tls or --tls-ca FILE",
                options.address);
  const auto client = plain_client(options);
  const auto started = client->start_login();
  if (!started) return started.error();
  say_where(*started);
  const auto session = wait_for(*client, *started);
  if (!session) return session.error();
  if (auto put = Logins(logins_path()).put(login_of(options.address, *session)); !put) return put.error();
  Listing listing;
  listing.shape = Shape::pairs;
  listing.columns = {{"key", "WHAT"}, {"value", "VALUE"}};
  listing.rows.push_back({Cell::of("name"), Cell::of(session->name())});
  listing.rows.push_back({Cell::of("role"), Cell::of(session->role())});
  listing.rows.push_back({Cell::of("expires"), Cell{session->expires_ms(),
                                                    format_local_time(session->expires_ms()), Style::plain}});
  listing.rows.push_back(
      {Cell::of("renewed"), Cell::of(session->refresh_token().empty() ? "no" : "by itself")});
  show(context, listing);
  if (session->role() == "none")
    fmt::print(stderr,
               "You have no role here: access.oidc.roles and users of the aggregator say who has one.\n");
  return Exit::ok;
}

Result<Exit> log_out(Context& context) {
  const auto removed = Logins(logins_path()).remove(context.aggregator.address);
  if (!removed) return removed.error();
  fmt::print(stderr, "{} at {}.\n", *removed ? "Signed out" : "Nobody is signed in",
             context.aggregator.address);
  return Exit::ok;
}

}  // namespace

std::function<Result<LoginToken>()> login_tokens(const ClientOptions& options,
                                                 std::function<std::int64_t()> now_ms) {
  const auto renew = [options](const Login& old) -> Result<Login> {
    v1::RenewLoginRequest request;
    request.set_refresh_token(old.refresh_token);
    const auto session = plain_client(options)->renew_login(request);
    if (!session) return session.error();
    return login_of(old.aggregator, *session);
  };
  const auto tokens = std::make_shared<LoginTokens>(Logins(logins_path()), options.address, renew);
  return [tokens, now_ms = std::move(now_ms)] { return tokens->token(now_ms()); };
}

Run declare_login(CLI::App& app) {
  app.footer(
      "Prints a page and a code; who opens the page and enters the code signs this terminal in. Commands for "
      "this aggregator show the token from then on, unless another credential is given.\n\nExamples:\n  "
      "vigil "
      "login\n  vigil --aggregator monitor.example.org:8460 --tls login");
  return log_in;
}

Run declare_logout(CLI::App&) {
  return log_out;
}

}  // namespace vigil::cli
