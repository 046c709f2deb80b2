#include "aggregator/notify/proxies.h"

#include "common/text/letter_case.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iterator>

namespace vigil::notify {
namespace {

std::string_view variable_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool is_set_for_http() {
  constexpr const char* kNames[] = {"http_proxy", "all_proxy",
                                    "ALL_PROXY"};  // HTTP_PROXY may be a CGI header
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [](const char* name) { return !variable_of(name).empty(); });
}

/// "example.org" and ".example.org" are the host of that name and all below it.
bool covers(std::string_view entry, std::string_view host) {
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty() || entry.size() > host.size()) return false;
  const std::string_view end = host.substr(host.size() - entry.size());
  if (!is_same_in_any_case(end, entry)) return false;
  return end.size() == host.size() || host[host.size() - end.size() - 1] == '.';
}

}  // namespace

std::string no_proxy() {
  const std::string_view lower = variable_of("no_proxy");
  const std::string_view own = lower.empty() ? variable_of("NO_PROXY") : lower;
  if (own == "*") return "*";  // an asterisk counts alone only
  return std::string(own) + (own.empty() ? "" : ",") + "localhost,127.0.0.1,::1";
}

bool has_proxy(std::string_view host) {
  if (!is_set_for_http()) return false;
  const std::string list = no_proxy();
  if (list == "*") return false;
  constexpr std::string_view kBetween = ", ";
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find_first_of(kBetween, begin), list.size());
    if (covers(std::string_view(list).substr(begin, end - begin), host)) return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace vigil::notify
