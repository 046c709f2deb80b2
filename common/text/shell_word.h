// One word of a command that a person is to copy into a shell.
#pragma once

#include <string>
#include <string_view>

namespace vigil {

/// As it is where no shell reads anything into it, else in single quotes.
std::string shell_word(std::string_view text);

}  // namespace vigil
