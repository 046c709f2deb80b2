#include "cli/commands/invitation.h"

#include "common/text/address.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace vigil::cli {
namespace {

/// Of the certificate, what a host elsewhere may use.
std::vector<std::string> usable_elsewhere(const std::vector<std::string>& certified) {
  std::vector<std::string> out;
  std::ranges::copy_if(certified, std::back_inserter(out), [](const std::string& host) {
    return !Address{host, 0}.is_loopback();
  });
  return out;
}

}  // namespace

Result<void> check_address(const std::string& address) {
  const auto is_of_host = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-:").find(c) != std::string_view::npos;
  };
  const auto parsed = parse_address(address, kGrpcPort);
  if (parsed && !address.starts_with(':') && !parsed->host.empty() && parsed->host.front() != '-' &&
      std::ranges::all_of(parsed->host, is_of_host))
    return {};
  return fail(Errc::invalid_argument,
              "--address: must be HOST or HOST:PORT, as monitor.example.org:8460 or [fd00::5]:8460");
}

std::string doubt_about(const std::string& address, const std::vector<std::string>& certified) {
  const auto parsed = parse_address(address, kGrpcPort);
  if (!parsed) return parsed.error().message;
  const std::vector<std::string> usable = usable_elsewhere(certified);
  if (parsed->is_loopback()) {
    return fmt::format(
        "{} leads a host to itself: it is right on the aggregator's own machine only. For any other host: "
        "grpc_listen: 0.0.0.0:{} in aggregator.yml, and --address {}",
        address, parsed->port, Address{usable.empty() ? "NAME" : usable.back(), parsed->port}.to_string());
  }
  if (certified.empty() || std::ranges::find(certified, parsed->host) != certified.end()) return {};
  return fmt::format(
      "the aggregator's certificate is not for {}, so the host will refuse it. It is for {}: give one of "
      "these "
      "with --address, or run vigil-aggregator init --data-dir /var/lib/vigil --name {} on the aggregator's "
      "machine",
      parsed->host, fmt::join(usable.empty() ? certified : usable, ", "), parsed->host);
}

}  // namespace vigil::cli
