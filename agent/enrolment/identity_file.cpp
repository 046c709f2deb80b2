#include "agent/enrolment/identity_file.h"

#include "common/config/files.h"
#include "common/text/address.h"
#include "common/tls/certificate.h"
#include "common/tls/kept_file.h"

#include <filesystem>

namespace vigil::agent {
namespace {

constexpr std::string_view kAddress = "aggregator: ";
constexpr std::string_view kKeyBegins = "-----BEGIN PRIVATE KEY-----";
constexpr std::string_view kKeyEnds = "-----END PRIVATE KEY-----\n";

/// From `begin` to the end of `end`; "" when one of them is not there.
std::string between(const std::string& text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin);
  const std::size_t to = from == std::string::npos ? from : text.find(end, from);
  return to == std::string::npos ? std::string() : text.substr(from, to + end.size() - from);
}

Result<OwnIdentity> parse_identity(const std::string& text) {
  const std::string line = between(text, kAddress, "\n");
  if (line.empty()) return fail(Errc::parse, "has no line that begins with '{}'", kAddress);
  std::string address = line.substr(kAddress.size(), line.size() - kAddress.size() - 1);
  if (const auto fine = parse_address(address, 0); !fine) return fine.error();
  auto certificates = tls::split_certificates(text);
  if (!certificates) return certificates.error();
  if (certificates->size() < 2)
    return fail(Errc::parse, "holds one certificate, and needs the authority's behind it");
  return make_identity(std::move(address),
                       {(*certificates)[1], (*certificates)[0], between(text, kKeyBegins, kKeyEnds)});
}

}  // namespace

std::string identity_path(const std::string& folder) {
  return folder + "/identity.pem";
}

bool has_identity(const std::string& folder) {
  std::error_code error;
  return !folder.empty() && std::filesystem::exists(identity_path(folder), error);
}

Result<OwnIdentity> make_identity(std::string aggregator, TlsMaterial tls) {
  if (auto pair = tls::check_pair(tls.cert, tls.key); !pair) return pair.error();
  if (auto ours = tls::check_signed_by(tls.cert, tls.ca); !ours) return ours.error();
  const auto info = tls::read_certificate(tls.cert);
  if (!info) return info.error();
  auto name = tls::named_by(*info, tls::kHostUri);
  if (!name) return fail(Errc::permission, "the certificate names no host");
  return OwnIdentity{std::move(aggregator), std::move(tls),      std::move(*name),
                     info->serial,          info->not_before_ms, info->not_after_ms};
}

Result<OwnIdentity> load_identity(const std::string& folder) {
  const std::string path = identity_path(folder);
  const auto text = config::read_private_key(path);
  if (!text) return text.error();
  auto identity = parse_identity(*text);
  if (identity) return identity;
  return fail(identity.error().code, "{}: {}; vigil-agent enroll makes it", path, identity.error().message);
}

std::string enrol_anew(std::string_view name) {
  return fmt::format(
      "vigil agent invite --name {} --replace, by an admin, and here the line it prints, with --force", name);
}

Result<void> store_identity(const std::string& folder, const OwnIdentity& identity) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    if (auto made = tls::keep_folder(folder); !made) return made;
  }
  const std::string text =
      fmt::format("# Made by vigil-agent enroll, for this host alone.\n{}{}\n{}{}{}", kAddress,
                  identity.aggregator, identity.tls.key, identity.tls.cert, identity.tls.ca);
  return tls::keep_file(identity_path(folder), text, tls::Readable::by_owner);
}

}  // namespace vigil::agent
