#include "common/text/address.h"

#include <charconv>

namespace vigil {

std::string Address::to_string() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

bool Address::is_loopback() const {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

Result<Address> parse_address(std::string_view text, std::uint16_t default_port) {
  const auto bad = [text] {
    return fail(Errc::parse, "'{}' is not an address; write HOST:PORT, for example 127.0.0.1:8460", text);
  };
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad();
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return bad();
    if (!port.empty()) port.remove_prefix(1);
  } else if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    if (text.find(':') != colon) return bad();  // a bare IPv6 address needs brackets
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty()) return bad();
  }
  Address address{host.empty() ? "0.0.0.0" : std::string(host), default_port};
  if (host.find_first_of(" \t/\r\n") != std::string_view::npos || (host.empty() && port.empty()))
    return bad();
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc{} || end != port.data() + port.size()) return bad();
  }
  return address;
}

}  // namespace vigil
