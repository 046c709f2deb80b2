// Which role each gRPC method needs: as its definition says, see proto/vigil/v1/needs.proto.
#pragma once

#include "aggregator/access/role.h"

#include <optional>
#include <string_view>

namespace vigil::aggregator::access {

/// `path` as calls have it: "/vigil.v1.Fleet/ListHosts". Nothing: there is no such method, or it does not
/// say, and nobody may call it.
std::optional<Need> need_of(std::string_view path);

}  // namespace vigil::aggregator::access
