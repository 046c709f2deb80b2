// How somebody at a terminal signs in: the device authorization grant (RFC 8628), which the aggregator does
// for `vigil login`, so that the command line needs neither the client's secret nor a way to the provider.
// Nothing is kept of a login: its device code, and later the refresh token, are with whoever signs in.
#pragma once

#include "aggregator/access/oidc/people.h"
#include "aggregator/access/oidc/web.h"
#include "common/error.h"

#include <cstdint>
#include <functional>
#include <string>

namespace vigil::aggregator::access::oidc {

struct Started {
  std::string device_code;  // for poll()
  std::string user_code;    // to be typed in at `page`
  std::string page;
  std::string page_with_code;  // the same with the code in it; "": there is none
  std::int64_t valid_ms = 0;
  std::int64_t interval_ms = 0;  // between two poll()s
};

struct Session {
  std::string token;
  std::string refresh_token;  // "": it cannot be renewed
  Person person;              // as the aggregator takes him by the token
};

struct Polled {
  enum class State : std::uint8_t {
    pending,
    slow_down,  // and from now on the interval is five seconds longer
    signed_in
  } state = State::pending;
  Session session = {};
};

class DeviceLogin {
 public:
  /// `people` outlives this. `secret` "": the client has none.
  DeviceLogin(People& people, Web web, std::string secret)
      : people_(people), web_(std::move(web)), secret_(std::move(secret)) {}

  /// Any thread: whoever waits for the provider need not any more.
  void hurry() const { web_.cut(); }

  // All block; one thread. Errc::unavailable: the provider is away; permission: it or the person said no;
  // timeout: the code is too old; unsupported: the provider has no such way to sign in.
  Result<Started> start();
  Result<Polled> poll(const std::string& device_code);
  /// The next token, and the next refresh token: that may be another one from then on.
  Result<Session> renew(const std::string& refresh_token);

 private:
  using Fields = std::vector<std::pair<std::string_view, std::string>>;
  Result<WebReply> post(const std::string& url, Fields fields);
  Result<Session> session_of(const WebReply& reply, const std::string& refresh_token);

  People& people_;
  const Web web_;
  const std::string secret_;
};

}  // namespace vigil::aggregator::access::oidc
