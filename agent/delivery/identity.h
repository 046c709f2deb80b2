// Who this host and this stream are.
#pragma once

#include "common/error.h"

#include <string>

namespace vigil::agent {

/// 16 bytes derived from the machine id in `etc_path`/machine-id with a key of vigil's own: machine-id(5)
/// asks never to show the id itself to others. Errors: Errc::not_found, Errc::parse (empty or
/// "uninitialized", as in images before their first boot).
Result<std::string> machine_identity(const std::string& etc_path);
/// The stand-in when there is no machine id: derived from the host's name, so it stays the same over
/// restarts.
std::string identity_from_name(const std::string& host_name);

/// 16 random bytes.
std::string random_stream_id();
/// `procfs`/sys/kernel/random/boot_id, or "" when it cannot be read.
std::string boot_identity(const std::string& procfs);
/// gethostname(2), with characters a name may not have turned into '-'.
std::string host_name();

}  // namespace vigil::agent
