#include "aggregator/identity/init.h"

#include "common/text/human.h"
#include "common/text/shell_word.h"
#include "common/tls/kept_file.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <climits>
#include <filesystem>
#include <iterator>
#include <tuple>

namespace vigil::aggregator::identity {
namespace {

namespace json = boost::json;

/// "" for what nobody elsewhere can use: loopback, and addresses that hold on one link only.
std::string usable_address(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address->sa_family == AF_INET) {
    const auto& in = *reinterpret_cast<const sockaddr_in*>(address);
    if (::inet_ntop(AF_INET, &in.sin_addr, text.data(), text.size()) == nullptr) return {};
  } else if (address->sa_family == AF_INET6) {
    const auto& in = *reinterpret_cast<const sockaddr_in6*>(address);
    if (IN6_IS_ADDR_LINKLOCAL(&in.sin6_addr)) return {};
    if (::inet_ntop(AF_INET6, &in.sin6_addr, text.data(), text.size()) == nullptr) return {};
  }
  return text.data();
}

void add_interfaces(std::vector<std::string>& hosts) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return;  // names are enough
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    std::string address = usable_address(one->ifa_addr);
    if (!address.empty() && std::find(hosts.begin(), hosts.end(), address) == hosts.end())
      hosts.push_back(std::move(address));
  }
  ::freeifaddrs(all);
}

/// The person's key, certificate and the authority's, for the flags of the command line.
Result<InitDone> make_person(const AuthorityOptions& where, const InitOptions& options) {
  if (auto named = check_person_name(options.person); !named) return named.error();
  auto authority = Authority::open(where);
  if (!authority) return authority.error();
  const auto key = tls::make_key();
  if (!key) return key.error();
  const auto request = tls::make_request(*key, options.person);
  if (!request) return request.error();
  std::error_code error;
  const std::string out = std::filesystem::absolute(options.out, error).lexically_normal().string();
  std::filesystem::create_directories(out, error);
  const std::string base = out + '/' + options.person;
  const std::string ca = out + "/ca.pem";
  for (const std::string& path : {base + ".key", base + ".pem", ca}) {
    if (auto can = tls::try_file(path); !can)  // or there would be a certificate that nobody has
      return fail(can.error().code, "--out: {}; no certificate was made", can.error().message);
  }
  const auto issued = (*authority)->issue_person(options.person, *request, {});
  if (!issued) return issued.error();
  for (const auto& [path, text, readable] :
       {std::tuple{base + ".key", *key, tls::Readable::by_owner},
        std::tuple{base + ".pem", issued->certificate, tls::Readable::by_everybody},
        std::tuple{ca, issued->authority, tls::Readable::by_everybody}}) {
    if (auto kept = tls::keep_file(path, text, readable); !kept) return kept.error();
  }
  return InitDone{
      fmt::format("made a certificate for {}, good until {}. For the command line:\n"
                  "  export VIGIL_TLS_CA={}\n  export VIGIL_TLS_CERT={}\n  export VIGIL_TLS_KEY={}\n",
                  options.person, format_rfc3339(issued->not_after_ms), shell_word(ca),
                  shell_word(base + ".pem"), shell_word(base + ".key")),
      {{"certificate.issue", options.person,
        json::serialize(json::object{{"serial", issued->serial}, {"not_after_ms", issued->not_after_ms}})}}};
}

}  // namespace

std::vector<std::string> own_hosts() {
  std::vector<std::string> hosts{"localhost", "127.0.0.1", "::1"};
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0 && name.front() != '\0' &&
      std::string_view(name.data()) != "localhost")
    hosts.emplace_back(name.data());
  add_interfaces(hosts);
  return hosts;
}

std::string host_to_tell(const std::vector<std::string>& certified, const std::vector<std::string>& own,
                         const std::string& machine_name) {
  const auto named = std::find_if(certified.rbegin(), certified.rend(), [&own](const std::string& host) {
    return std::find(own.begin(), own.end(), host) == own.end();
  });
  return named == certified.rend() ? machine_name : *named;
}

Result<void> check(const InitOptions& options) {
  if (options.person.empty() == options.out.empty()) return {};
  return fail(Errc::invalid_argument, "--person and --out belong together: whose certificate, and where to");
}

Result<InitDone> init(const std::string& data_directory, const InitOptions& options, const Lives& lives,
                      std::int64_t now_ms) {
  if (auto fine = check(options); !fine) return fine.error();
  if (auto kept = tls::keep_folder(data_directory); !kept) return kept.error();
  const std::string folder = folder_in(data_directory);
  const auto done = set_up(folder, own_hosts(), options.names, {now_ms, lives.server});
  if (!done) return done.error();
  const AuthorityOptions where{folder, lives, [now_ms] { return now_ms; }};
  // Also where nobody asked for a certificate: it makes identity.db, and finds what cannot be used.
  if (const auto opened = Authority::open(where); !opened) return opened.error();
  InitDone out;
  out.said = fmt::format("{} the authority {}\n  its fingerprint is sha256:{}\n",
                         done->made_authority ? "made" : "kept", authority_path(folder), done->fingerprint);
  out.said += fmt::format("{} the aggregator's certificate, good until {}, for\n  {}\n",
                          done->made_server ? "made" : "kept", format_rfc3339(done->server_until_ms),
                          fmt::join(done->hosts, ", "));
  if (done->made_authority)
    out.made.push_back(
        {"authority.make", "", json::serialize(json::object{{"fingerprint", done->fingerprint}})});
  if (done->made_server)
    out.made.push_back({"certificate.issue", "the aggregator",
                        json::serialize(json::object{{"hosts", json::value_from(done->hosts)},
                                                     {"not_after_ms", done->server_until_ms}})});
  if (done->made_authority) out.said += "an aggregator that runs already uses them once it is started anew\n";
  if (options.person.empty()) {
    out.said += "a certificate for the command line: vigil-aggregator init --person NAME --out FOLDER\n";
    return out;
  }
  auto person = make_person(where, options);
  if (!person) return person.error();
  out.said += person->said;
  std::ranges::move(person->made, std::back_inserter(out.made));
  return out;
}

}  // namespace vigil::aggregator::identity
