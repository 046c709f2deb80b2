#include "aggregator/notify/private_addresses.h"

#include "aggregator/notify/proxies.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

namespace vigil::notify {
namespace {

struct Block {
  std::uint32_t begin;
  int bits;
};
constexpr Block kPrivateBlocks[] = {{0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},
                                    {0xA9FE0000, 16}, {0xAC100000, 12}, {0xC0A80000, 16}, {0xE0000000, 3}};

bool is_private_v4(std::uint32_t address) {
  return std::any_of(std::begin(kPrivateBlocks), std::end(kPrivateBlocks), [address](const Block& block) {
    return (address ^ block.begin) >> (32 - block.bits) == 0;
  });
}

std::uint32_t v4_at(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 |
         bytes[3];
}

bool is_private_v6(const in6_addr& address) {
  const std::uint8_t* bytes = address.s6_addr;
  constexpr std::array<std::uint8_t, 12> kTranslated{0x00, 0x64, 0xFF, 0x9B};  // NAT64, RFC 6052
  if (IN6_IS_ADDR_V4MAPPED(&address) || std::memcmp(bytes, kTranslated.data(), kTranslated.size()) == 0)
    return is_private_v4(v4_at(bytes + 12));
  return IN6_IS_ADDR_UNSPECIFIED(&address) || IN6_IS_ADDR_LOOPBACK(&address) ||
         IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_SITELOCAL(&address) ||
         IN6_IS_ADDR_MULTICAST(&address) || (bytes[0] & 0xFE) == 0xFC;
}

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct FreeText {
  void operator()(char* text) const { curl_free(text); }
};

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  const std::unique_ptr<char, FreeText> owned(text);
  return owned.get();
}

bool is_literal(const std::string& host) {
  if (host.starts_with('[')) return true;  // only addresses are written so
  in_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1;
}

}  // namespace

bool is_private(const sockaddr& address) {
  if (address.sa_family == AF_INET)
    return is_private_v4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  if (address.sa_family == AF_INET6)
    return is_private_v6(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  return true;
}

bool may_be_private(const std::string& url) {
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return false;
  if (part_of(parsed.get(), CURLUPART_SCHEME) != "http") return true;
  const std::string host = part_of(parsed.get(), CURLUPART_HOST);
  return host == "localhost" || is_literal(host) || has_proxy(host);
}

std::string address_text(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* from = nullptr;
  if (address.sa_family == AF_INET) from = &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  if (address.sa_family == AF_INET6) from = &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (from == nullptr || ::inet_ntop(address.sa_family, from, text.data(), text.size()) == nullptr) return {};
  return text.data();
}

}  // namespace vigil::notify
