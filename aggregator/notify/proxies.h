// The proxies of the environment (http_proxy, all_proxy, no_proxy), as libcurl reads them.
#pragma once

#include <string>
#include <string_view>

namespace vigil::notify {

/// Hosts that are reached directly: no_proxy or NO_PROXY, and loopback, whatever they say. For
/// CURLOPT_NOPROXY.
std::string no_proxy();

/// Whether plain HTTP to the host goes through a proxy. `host`: a name, in lower case; for addresses that are
/// written as such the blocks of no_proxy (10.0.0.0/8) are not looked at.
bool has_proxy(std::string_view host);

}  // namespace vigil::notify
