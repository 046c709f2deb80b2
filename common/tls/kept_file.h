// Files that hold keys and certificates: written whole or not at all, readable by whom they are for.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::tls {

enum class Readable : std::uint8_t { by_owner, by_everybody };  // modes 0600 and 0644

/// Replaces `path` in one step, durably: whoever reads it sees the old text or the new one, also after a
/// power cut. The file gets the owner of its folder: root may set up what a service's user is to read.
/// Errors name the path.
Result<void> keep_file(const std::string& path, std::string_view text, Readable readable);

/// Whether keep_file() could write something of a few KiB there now; leaves nothing. For what must not be
/// asked for in vain. Errors name the path.
Result<void> try_file(const std::string& path);

/// Makes a folder of mode 0700, and its parents; one that is there is given that mode. A new one gets the
/// owner of the folder it is in.
Result<void> keep_folder(const std::string& path);

}  // namespace vigil::tls
