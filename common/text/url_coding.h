// How text goes into an address, or into a form (application/x-www-form-urlencoded).
#pragma once

#include <string>
#include <string_view>

namespace vigil {

/// Everything but what RFC 3986, section 2.3, calls unreserved becomes %XX.
std::string percent_coded(std::string_view text);
/// The same, with "+" for a space: of a form, and of what stands behind a "?".
std::string form_coded(std::string_view text);

}  // namespace vigil
