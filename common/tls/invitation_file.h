// An invitation as a file, which `vigil agent invite --out` writes and `vigil-agent enroll --invitation`
// reads: where the token goes by a secret store, and is to stand on no command line.
//
//   # Invitation of hosts whose names are like node-*, good until 2026-12-01T10:00:00Z.
//   aggregator: monitor.example.org:8460
//   fingerprint: sha256:9b71...
//   token: 5f0c...
#pragma once

#include "common/error.h"

#include <string>
#include <string_view>

namespace vigil::tls {

struct InvitationFile {
  std::string aggregator;   // host:port
  std::string fingerprint;  // of the authority's certificate, with sha256: before it
  std::string token;
};

/// `remark`: one line, for who looks into it.
std::string to_text(const InvitationFile& invitation, std::string_view remark);

/// Of its text. Errc::parse says which line is missing or wrong; no secrets.
Result<InvitationFile> parse_invitation(std::string_view text);

/// Errors name the file. Errc::permission: others may read it.
Result<InvitationFile> read_invitation(const std::string& path);

}  // namespace vigil::tls
