// X.509 certificates as vigil looks at them: who they name, and for how long. Certificates of an aggregator's
// own authority name a host or a person in a URI of subjectAltName (RFC 5280, 4.2.1.6).
#pragma once

#include "common/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::tls {

struct CertificateInfo {
  std::string common_name;        // of the subject; empty: it has none
  std::vector<std::string> uris;  // subjectAltName URI
  std::string serial;             // hex, lower case
  std::int64_t not_before_ms = 0;
  std::int64_t not_after_ms = 0;
  std::string fingerprint;  // SHA-256 of the DER, hex, lower case
};

/// Of the first certificate in the text; nothing is said about who signed it. Errc::parse.
Result<CertificateInfo> read_certificate(std::string_view pem);

inline constexpr std::string_view kHostUri = "vigil:host:";      // an agent's certificate, with its name
inline constexpr std::string_view kPersonUri = "vigil:person:";  // somebody's, with the name

/// What follows `prefix` in the one URI that begins with it; nothing when there is none, or more than one.
std::optional<std::string> named_by(const CertificateInfo& certificate, std::string_view prefix);

/// DNS names and IP addresses of the first certificate's subjectAltName: where a server may be reached.
Result<std::vector<std::string>> server_hosts(std::string_view pem);

/// Whether a client that connects to `host` may take this certificate for that host's. Errc::parse.
Result<bool> is_for_host(std::string_view pem, const std::string& host);

/// Whether the first certificate and the key belong together. Errc::invalid_argument, Errc::parse.
Result<void> check_pair(std::string_view certificate, std::string_view key);

/// Each certificate of the text as a text of its own, in its order. Errc::parse: there is none, or one of
/// them is damaged.
Result<std::vector<std::string>> split_certificates(std::string_view pem);

/// Whether `authority`'s key signed `certificate` (the first of each text), and whether `authority` may sign.
/// Nothing is said about time. Errc::permission, Errc::parse.
Result<void> check_signed_by(std::string_view certificate, std::string_view authority);

}  // namespace vigil::tls
