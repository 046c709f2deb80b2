// Whether an aggregator can be reached: the connection, what is spoken there, and what TLS says of both
// sides. One connection, closed after the first bytes; nothing is asked of it.
#pragma once

#include "common/doctor/finding.h"
#include "common/text/address.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::doctor {

struct PeerOptions {
  Address address;
  bool is_tls = false;
  std::string ca_pem;  // empty: the system's authorities
  std::string cert_pem;
  std::string key_pem;
  std::chrono::milliseconds patience{5000};
};

struct PeerFacts {
  enum class Reached : std::uint8_t {
    no_address,   // the name is not known
    no_answer,    // nobody listens, or nothing comes back in time
    other_tls,    // TLS is spoken where plain text is configured, or the other way round
    http1,        // an HTTP port, not that of gRPC
    bad_peer,     // its certificate does not prove who it is
    refused_us,   // it ended TLS after it saw our certificate, or that we have none
    speaks_grpc,  // HTTP/2
    strange,      // something else
  };
  std::string address;
  bool is_tls = false;
  Reached reached = Reached::no_answer;
  std::string trouble;            // in words, when it was not reached
  std::int64_t not_after_ms = 0;  // of its certificate, when it has shown one
  std::int64_t ours_ends_ms = 0;  // of the certificate that was shown to it; 0: none
  std::chrono::milliseconds took{};
};
PeerFacts look_at_peer(const PeerOptions& options);

/// What an HTTP port answers to GET `path`, beginning with the status line, at most 4 KiB; "" when nothing
/// comes. Over TLS whoever answers is believed: for a port of this machine.
enum class Spoken : std::uint8_t { plain, tls };
std::string ask_http(const Address& address, std::string_view path, Spoken spoken,
                     std::chrono::milliseconds patience);

/// `address_key`, `tls_key`: what the reader would change, "aggregator" and "tls".
Findings check_peer(const PeerFacts& facts, std::int64_t now_ms, const std::string& address_key,
                    const std::string& tls_key);

}  // namespace vigil::doctor
