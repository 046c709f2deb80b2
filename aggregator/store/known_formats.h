// Whether this program knows the formats of all files of a data folder: asked before a start changes any.
#pragma once

#include "common/error.h"

#include <filesystem>
#include <string>

namespace vigil::aggregator {

/// Errc::unsupported: a file is of a newer format, or of another program; the message names it. What cannot
/// be read is left to whoever opens it for more than a look. Nothing is written but the index of a log
/// (-shm).
Result<void> refuse_unknown_formats(const std::filesystem::path& directory, const std::string& vfs);

}  // namespace vigil::aggregator
