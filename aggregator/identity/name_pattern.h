// What names of hosts are like, for an invitation of many: "node-*", * being any characters, none of them
// too. Values.
#pragma once

#include <string_view>

namespace vigil::aggregator::identity {

/// What a name of a host may be, with at least one * among it.
bool valid_name_pattern(std::string_view pattern);

/// Whether the whole of `name` is like that.
bool fits(std::string_view name, std::string_view pattern);

}  // namespace vigil::aggregator::identity
