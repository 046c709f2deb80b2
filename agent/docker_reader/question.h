// What vigil-docker-reader lets through to a container engine, which is what the agent's watcher asks:
//
//   GET [/vA.B]/version
//   GET [/vA.B]/_ping
//   GET [/vA.B]/containers/json?all=1
//   GET [/vA.B]/containers/ID/json                  ID: 12 to 64 of 0-9 and a-f
//   GET [/vA.B]/events?filters=F[&since=S.NNNNNNNNN]  F: one of the two texts of engine_api.h
//
// Everything else is refused, also what would mean the same in another spelling. No byte of a request goes
// on: the engine is asked with a target that was put together anew, so there is nothing to smuggle.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::agent::docker {

inline constexpr std::size_t kMostHeadBytes = 4096;  // a request line and its headers

enum class Kind : std::uint8_t { ping, version, list, inspect, events };

struct Question {
  Kind kind{};
  std::string target;  // "/v1.41/containers/json?all=1"
};

/// Of a request target. Errc::permission: it is not on the list.
Result<Question> question_of(std::string_view target);

/// Of all that was received of a request: exactly one head of HTTP/1.1, and nothing behind it. Headers that
/// could make anybody see another request in it (Content-Length, Transfer-Encoding, Upgrade, Expect, what is
/// not known) are refused. Errc::permission says why.
Result<Question> read_question(std::string_view request);

}  // namespace vigil::agent::docker
