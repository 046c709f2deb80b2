#pragma once

#include <string>
#include <string_view>

namespace vigil::channels {

/// 64 hexadecimal digits: a name for what is too long or too telling to be one.
std::string sha256_hex(std::string_view text);

}  // namespace vigil::channels
