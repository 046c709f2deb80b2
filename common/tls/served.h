// What a port shows and whom it trusts, as the files of a configuration say it, checked: for all ports that
// show the same certificate, so that all take the same files for good.
#pragma once

#include "common/error.h"

#include <string>

namespace vigil::tls {

/// In PEM.
struct Served {
  std::string certificates;  // with those of its authorities behind it
  std::string key;           // that of the first one
  std::string authorities;   // who signs the certificates of clients; "": nobody is asked for one
  std::string digest;        // another one when the files say something else
};

/// `client_ca`: "" for none; `key` may be the file `cert`. Errors name the file, or the two that do not fit:
/// Errc::not_found, permission as for a private key, parse, invalid_argument.
Result<Served> read_served(const std::string& cert, const std::string& key, const std::string& client_ca);

}  // namespace vigil::tls
