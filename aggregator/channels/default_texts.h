// What messages say where alertmanager.yml does not: templates by the names its users know, so that their own
// texts can call them and their own files can define them anew.
#pragma once

#include <span>
#include <string_view>

namespace vigil::channels {

/// Each a text of definitions.
std::span<const std::string_view> default_texts();

}  // namespace vigil::channels
