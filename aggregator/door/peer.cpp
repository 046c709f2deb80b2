#include "aggregator/door/peer.h"

#include "aggregator/access/limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>

namespace vigil::aggregator::door {

Peer peer_of(const sockaddr_storage& address) {
  Peer peer{{}, 0};
  if (address.ss_family == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address);
    std::copy_n(ipv6.sin6_addr.s6_addr, peer.first.size(), peer.first.begin());
    peer.second = ntohs(ipv6.sin6_port);
  } else {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
    peer.first[10] = peer.first[11] = 0xFF;
    std::copy_n(reinterpret_cast<const unsigned char*>(&ipv4.sin_addr), 4, peer.first.begin() + 12);
    peer.second = ntohs(ipv4.sin_port);
  }
  return peer;
}

std::string source_of(const Peer& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, peer.first.data(), text.data(), text.size());
  return access::source_of(text.data());
}

std::optional<Peer> peer_from(std::string_view grpc_name) {
  std::string name(grpc_name);
  for (const auto& [coded, plain] : {std::pair{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}}) {
    if (const auto at = name.find(coded); at != std::string::npos) name.replace(at, 3, plain);
  }
  std::erase_if(name, [](char c) { return c == '[' || c == ']'; });
  const auto begin = name.find(':');
  const auto colon = name.rfind(':');
  if (begin == std::string::npos || colon <= begin) return std::nullopt;
  const bool is_ipv4 = name.starts_with("ipv4:");
  if (!is_ipv4 && !name.starts_with("ipv6:")) return std::nullopt;
  std::string address = name.substr(begin + 1, colon - begin - 1);
  address.erase(std::min(address.find('%'), address.size()));  // which interface
  if (is_ipv4) address.insert(0, "::ffff:");
  Peer peer{{}, 0};
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + colon + 1, end, peer.second);
  const bool is_read = read.ec == std::errc() && read.ptr == end;
  if (!is_read || ::inet_pton(AF_INET6, address.c_str(), peer.first.data()) != 1) return std::nullopt;
  return peer;
}

}  // namespace vigil::aggregator::door
