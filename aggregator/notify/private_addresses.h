// Which addresses a receiver's URL may lead to.
//
// An address that is written as such, localhost, and whatever proves by its certificate to be who was meant
// (https) is what the configuration says. A name in plain HTTP is whatever its name server says at the time:
// it leads to a private network, to this machine or to a cloud's metadata only with
// `notifications.allow_private`. Where the environment has a proxy for it (proxies.h) it is the
// proxy that connects, and decides.
#pragma once

#include <sys/socket.h>

#include <string>

namespace vigil::notify {

/// Loopback, RFC 1918, shared (RFC 6598), link-local (169.254.169.254 among them), unique local; and no
/// address of a single machine: unspecified, multicast, broadcast.
bool is_private(const sockaddr& address);

/// Whether the host of an HTTP URL may turn out to be such an address without further permission.
bool may_be_private(const std::string& url);

/// "10.0.0.5"; "" of what is no IP address.
std::string address_text(const sockaddr& address);

}  // namespace vigil::notify
