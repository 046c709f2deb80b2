// What gRPC does for its whole process, wherever it is used.
#pragma once

namespace vigil {

/// Before the first channel or server. gRPC's own lines go to our log, with the component "grpc"; Abseil's
/// search for deadlocks, which Debian's build has on for every lock taken, is off.
void prepare_grpc();

}  // namespace vigil
