// Files a configuration names: read whole, never waited for, and refused with what would be right.
#pragma once

#include "common/error.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace vigil::config {

inline constexpr std::size_t kMaxFileBytes = 1 << 20;

/// The whole of a regular file; Errc::not_found, permission or limit (1 MiB) name the path.
Result<std::string> read_file(const std::string& path);

/// A file that holds a secret, at most one line, without white space at its ends. Errc::permission as for a
/// private key.
Result<std::string> read_secret(const std::string& path);

/// The whole of a file that holds secrets among other things, which `what` names. Errc::permission as for a
/// private key.
Result<std::string> read_guarded(const std::string& path, std::string_view what);

/// One or more certificates in PEM.
Result<std::string> read_certificates(const std::string& path);

/// A private key in PEM. Errc::permission when others may read it, or when its group may and it is not an
/// administrator's to decide so, that is, root's.
Result<std::string> read_private_key(const std::string& path);

/// Whether files can be kept in this folder, or it can be made where it is not there yet; makes nothing. The
/// error says why not and what would be right.
Result<void> check_folder(const std::string& path);

}  // namespace vigil::config
