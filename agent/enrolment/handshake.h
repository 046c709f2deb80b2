// What a server shows in a TLS handshake, before anything is said to it.
#pragma once

#include "common/error.h"
#include "common/text/address.h"

#include <chrono>
#include <string>
#include <vector>

namespace vigil::agent {

/// The certificates of whoever answers at `address`, its own first, each in PEM. Nobody's word is taken for
/// them: who calls must know what to look for. The connection is closed again. Errc::unavailable,
/// Errc::timeout.
Result<std::vector<std::string>> shown_certificates(const Address& address,
                                                    std::chrono::milliseconds patience);

}  // namespace vigil::agent
