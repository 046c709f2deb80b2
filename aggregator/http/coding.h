// Content codings: which one a client takes, and answers compressed with it, piece by piece.
#pragma once

#include "aggregator/http/message.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace vigil::aggregator::http {

enum class Coding : std::uint8_t { identity, gzip, zstd };
/// As in Content-Encoding.
std::string_view to_string(Coding coding);

/// The one to use for the value of Accept-Encoding (RFC 9110, 12.5.3): the client's favourite, zstd among
/// equals. "" takes identity.
Coding best_coding(std::string_view accept_encoding);

/// One stream of compressed bytes.
class Compressor {
 public:
  /// Not for identity.
  static std::unique_ptr<Compressor> create(Coding coding);
  Compressor() = default;
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  virtual ~Compressor() = default;
  /// What comes out as `piece` goes in: may be empty, for more may be needed.
  virtual std::string add(std::string_view piece) = 0;
  /// The rest; the stream is complete.
  virtual std::string finish() = 0;
};

/// The same answer in this coding, where that is worth it: text of more than a kilobyte, or in pieces.
Response encoded(Response response, Coding coding);

}  // namespace vigil::aggregator::http
