// Who besides a file's owner may read it: for files that hold secrets.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <string>

namespace vigil::config {

enum class Readers : std::uint8_t { those_meant, group, everybody };

/// The group counts as meant where the file is root's, who alone can have chosen it: root:vigil, mode 0640,
/// is how a service's user gets to read what it may not change. Errors name the path.
Result<Readers> readers_of(const std::string& path);

}  // namespace vigil::config
