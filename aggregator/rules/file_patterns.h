// Rule files by pattern, as Prometheus's rule_files and promtool's unit tests have them: those of Go's
// filepath.Glob. `*` any characters but '/', `?` one of them, `[a-z]` and `[^a-z]` one of a range, `\` takes
// the next character as it is; in folders as in names.
#pragma once

#include "common/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::rules {

/// Whether `path` is a pattern at all.
bool is_pattern(std::string_view path);

/// The files and folders that fit, sorted; none is no error. What is no pattern fits itself when it is there,
/// and so does a pattern that fits nothing else. Errc::invalid_argument for a pattern with an open '[',
/// Errc::io or permission for a folder that cannot be read.
Result<std::vector<std::string>> matching_files(const std::string& path);

}  // namespace vigil::rules
