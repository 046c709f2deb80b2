// The folder identity/ of the data folder: ca.key and ca.pem, the authority that signs; server.pem, the
// aggregator's own key and certificate with the authority's behind it, in one file so that they change
// together; identity.db. The folder has mode 0700, files 0600, but ca.pem, which is no secret, 0644.
#pragma once

#include "common/error.h"
#include "common/tls/signing.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace vigil::aggregator::identity {

/// The name of the folder in a data folder.
inline constexpr const char* kFolder = "identity";

std::string folder_in(const std::string& data_directory);
std::string key_path(const std::string& folder);
std::string authority_path(const std::string& folder);
std::string server_path(const std::string& folder);
std::string database_path(const std::string& folder);

/// Whether somebody set an authority up there, whatever is left of it.
bool has_authority(const std::string& folder);

/// Errc::not_found: a file of it is gone without which it must not go on, and what to do about it.
Result<void> check_complete(const std::string& folder);

/// The authority of a folder; its key and certificate are checked to belong together.
Result<tls::Signer> read_authority(const std::string& folder);

/// A moment, and how long what is made then is good.
struct Making {
  std::int64_t now_ms = 0;
  std::chrono::milliseconds life{};
};

/// From a little before now, for peers whose clocks are behind.
tls::Life life_of(const Making& making);
/// When a certificate with this life was made, to a second.
std::int64_t made_at(const tls::Life& life);

/// Whether less than a third of a certificate's life is left, or it has not begun: it was made while the
/// clock was ahead.
bool is_due(std::int64_t not_before_ms, std::int64_t not_after_ms, std::int64_t now_ms);

/// What set_up() did.
struct SetUp {
  bool made_authority = false;
  bool made_server = false;
  std::string fingerprint;         // of the authority, SHA-256, hex
  std::vector<std::string> hosts;  // the aggregator's certificate is for these
  std::int64_t server_until_ms = 0;
};

/// Makes what is not there, and nothing anew that is: an authority for ten years with an empty identity.db,
/// and a server's certificate for `hosts`, which is made again when it lacks one of `more_hosts`, is due, or
/// has another authority's certificate behind it. Errc::not_found: what cannot be made again is gone.
Result<SetUp> set_up(const std::string& folder, const std::vector<std::string>& hosts,
                     const std::vector<std::string>& more_hosts, const Making& server);

/// The authority's certificate for another ten years, when it is due: with the same key and name, so that who
/// trusts the one before goes on trusting what is signed from now on, until that one ends. True: it was made;
/// the server's certificate is to be made anew then, since it shows the authority's behind it.
Result<bool> renew_authority(const std::string& folder, std::int64_t now_ms);

/// A new server's key and certificate for the same hosts, where set_up() would make it. True: it was made.
Result<bool> renew_server(const std::string& folder, const Making& server);

}  // namespace vigil::aggregator::identity
