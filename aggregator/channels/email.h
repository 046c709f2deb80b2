// Parts of mail that are checked when a configuration is read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vigil::channels {

/// Addresses separated by commas; not those inside quotes. Blanks at their ends are left out, and empty ones.
std::vector<std::string> split_addresses(std::string_view text);

/// A name of a message or a thread: letters, digits, "-", "_" and "."; a text with others is told from its
/// like by a hash.
std::string mail_token(std::string_view text);

}  // namespace vigil::channels
