// `vigil-agent enroll`: proves the aggregator by the fingerprint of its authority, then asks it for a
// certificate with the token of an invitation. Nothing is sent before the proof.
#pragma once

#include "agent/enrolment/identity_file.h"
#include "common/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

/// What to do where this host is enrolled already.
enum class Again : std::uint8_t {
  refused,
  if_needed,  // nothing, unless its identity is over, another host's, or counts no more at the aggregator
  allowed
};

struct EnrollOptions {
  std::string aggregator;   // host:port
  std::string token;        // of the invitation
  std::string fingerprint;  // of the authority's certificate: sha256:HEX
  std::string folder;       // for identity.pem
  Again again = Again::refused;
  std::string invitation = {};  // a file with the first three, for those of them that are empty
  std::string name = {};        // what this host is called; "": what the system calls itself
  std::string caution = {};     // why the agent will not use what it gets; "": nothing speaks against it
};

/// With what the file of the invitation says, and what is said as it can be. Errc::invalid_argument and
/// others name the flag or the file.
Result<EnrollOptions> complete(EnrollOptions options);

/// 64 lower-case hexadecimal digits of "sha256:…", with or without colons between them.
/// Errc::invalid_argument.
Result<std::string> parse_fingerprint(std::string_view text);

/// The authority among the certificates an aggregator shows, its own first: that with this fingerprint, when
/// it signed the aggregator's, which is for `host` and good at `now_ms`. Errc::permission says what is wrong.
Result<std::string> prove(const std::vector<std::string>& shown, const std::string& fingerprint,
                          const std::string& host, std::int64_t now_ms);

/// Gives what is to be printed. Errc::conflict: enrolled already.
Result<std::string> enroll(const EnrollOptions& options, std::int64_t now_ms);

/// enroll() by the clock of this host; prints what it says, and gives the exit code.
int enroll_command(const EnrollOptions& options);

}  // namespace vigil::agent
