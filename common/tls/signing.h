// Keys, requests for certificates (PKCS #10) and certificates that answer them. All texts are PEM; keys are
// PKCS #8. Pure: time comes in, and only the system's random numbers are asked for.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::tls {

/// A new key on the curve P-256. Errc::internal.
Result<std::string> make_key();

/// A request that proves who holds the key. The authority decides what the certificate says, the name is for
/// people. Errc::parse.
Result<std::string> make_request(std::string_view key, std::string_view common_name);

inline constexpr std::size_t kMaxRequestBytes = 8192;

/// The public key of a request from outside: its signature is checked, and that the key is of P-256, P-384 or
/// RSA of 2048 to 4096 bits. What else it asks for is not looked at. Errc::limit, Errc::parse.
Result<std::string> read_request(std::string_view request);

/// The public half of a private key.
Result<std::string> public_half(std::string_view key);

/// Both ends in Unix milliseconds; certificates know whole seconds.
struct Life {
  std::int64_t not_before_ms = 0;
  std::int64_t not_after_ms = 0;
};

enum class Purpose : std::uint8_t { client, server };

/// Whom a certificate names, and what it may be used for.
struct Subject {
  std::string common_name;
  std::vector<std::string> uris;
  std::vector<std::string> hosts;  // DNS names and IP addresses
  Purpose purpose = Purpose::client;
};

/// Who signs: its certificate and the key that goes with it.
struct Signer {
  std::string certificate;
  std::string key;
};

/// The certificate of an authority that may sign others, but no further authority; signed by itself.
Result<std::string> make_authority(std::string_view key, std::string_view common_name, const Life& life);

/// The certificate of an authority once more, for another life: name, key and what it may do stay, so that
/// what it signed before counts beside what it will sign. Errc::permission: it is not signed by itself.
Result<std::string> renew_authority(const Signer& present, const Life& life);

/// A certificate for a public key, with a random serial number of 127 bits. Errc::parse: a key or the
/// signer's certificate is none; Errc::invalid_argument: a host that is neither a name nor an address.
Result<std::string> issue(const Signer& signer, std::string_view public_key, const Subject& subject,
                          const Life& life);

}  // namespace vigil::tls
