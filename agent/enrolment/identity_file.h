// identity.pem: what `vigil-agent enroll` brings home. One file, so that what belongs together changes
// together: the aggregator's address, this host's key, its certificate, and the authority's behind it.
//
//   aggregator: monitor.example.org:8460
//   -----BEGIN PRIVATE KEY-----      (and so on: the key, the certificate, the authority's)
#pragma once

#include "common/delivery/channel.h"
#include "common/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::agent {

struct OwnIdentity {
  std::string aggregator;  // host:port
  TlsMaterial tls;
  std::string name;  // of this host, as its certificate has it
  std::string serial;
  std::int64_t not_before_ms = 0;
  std::int64_t not_after_ms = 0;
};

std::string identity_path(const std::string& folder);

/// Whether this host is enrolled, as far as this user can see.
bool has_identity(const std::string& folder);

/// Errors name the file. Errc::permission: others may read it.
Result<OwnIdentity> load_identity(const std::string& folder);

/// Checks that the parts belong together: certificate and key, certificate and authority. Errc::permission,
/// Errc::invalid_argument, Errc::parse.
Result<OwnIdentity> make_identity(std::string aggregator, TlsMaterial tls);

/// What brings a host a new certificate, in words: what an admin runs, and what the host.
std::string enrol_anew(std::string_view name);

/// Mode 0600, in one step; makes the folder.
Result<void> store_identity(const std::string& folder, const OwnIdentity& identity);

}  // namespace vigil::agent
