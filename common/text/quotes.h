// A text in double quotes, as PromQL, YAML and Go's templates read it: a backslash
// before quotes and backslashes, \n for a new line, all else as it is.
#pragma once

#include <string>
#include <string_view>

namespace vigil {

void append_quoted(std::string& out, std::string_view text);
/// Not called quoted(): that is std::quoted, too, for a std::string.
std::string in_quotes(std::string_view text);

}  // namespace vigil
