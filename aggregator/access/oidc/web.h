// Asks an issuer over HTTP, one request at a time. What asks takes it as a function, so that tests need no
// network.
#pragma once

#include "common/error.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace vigil::aggregator::access::oidc {

struct WebRequest {
  std::string url;
  std::optional<std::string> form;  // POST, as application/x-www-form-urlencoded; nothing: GET
  std::string user = {};            // HTTP Basic, unless empty
  std::string password = {};
};
struct WebReply {
  long status = 0;
  std::string body;
};
struct Web {
  /// Errc::unavailable: nobody answered. Blocks.
  std::function<Result<WebReply>(const WebRequest&)> ask;
  /// Any thread: ends what is asked, and whatever will be.
  std::function<void()> cut = [] {};
};

inline constexpr std::chrono::milliseconds kWebPatience{10'000};

/// Through libcurl as notifications go: no redirects, TLS that proves the name, 64 KiB of an answer at most,
/// loopback never by a proxy. `ca_file` "": the system's authorities. Not for two threads at once.
Web make_web(std::string ca_file);

}  // namespace vigil::aggregator::access::oidc
