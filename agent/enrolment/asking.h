// The key a host asks for a certificate with, kept in its folder until it has the answer: is that lost (the
// aggregator was killed, this host's disk is full), the same question gets the same answer.
//
//   # for the token and name ... (their SHA-256)
//   -----BEGIN PRIVATE KEY-----      (and then the request)
#pragma once

#include "common/error.h"

#include <string>

namespace vigil::agent {

struct Asking {
  std::string key;
  std::string request;  // PKCS #10, made with the key
};

std::string asking_path(const std::string& folder);

/// What was kept for the same `purpose` (one line, no secret), else a new one, which is durable before it is
/// given. That also shows, before a token is spent, that the identity can be kept. Errors say what to do.
Result<Asking> keep_asking(const std::string& folder, const std::string& purpose);

/// The answer is kept.
void forget_asking(const std::string& folder);

}  // namespace vigil::agent
