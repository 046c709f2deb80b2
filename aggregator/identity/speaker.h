// Who a connection's certificate says it is, and for which host it may speak.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::aggregator::identity {

/// The certificate a stream was opened with.
struct Speaker {
  std::string serial;             // hex, lower case; empty: none was shown, and none is asked for
  std::int64_t not_after_ms = 0;  // the stream must end then; 0: never
};

/// By a certificate of somebody else's authority, which the handshake has checked: its URI vigil:host:NAME,
/// else its common name, must be the host's. `pem` "": nobody is asked for one. Errc::permission.
Result<Speaker> speaker_by_name(std::string_view pem, std::string_view host, std::int64_t now_ms);

}  // namespace vigil::aggregator::identity
