// Files that hold keys, passwords, tokens, or hashes of them: whose they are, and who else may read them.
#pragma once

#include "common/config/guard.h"
#include "common/doctor/finding.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vigil::doctor {

enum class Keeper : std::uint8_t {
  service,       // writes the file itself, in a folder of its own
  administrator  // names it in the configuration, for the service to read
};

struct SecretFile {
  std::string path;
  Keeper keeper = Keeper::service;
  std::string trouble;  // why it cannot be looked at, or is not there; "" when it can
  std::string owner;    // the user's name, or number
  unsigned mode = 0;    // permission bits
  config::Readers readers = config::Readers::those_meant;
  bool service_may_read = true;  // by owner, group and mode; true where nobody knows who the service runs as
};

/// `user`: who the service runs as; "": unknown. Of the service's own files those that are there.
std::vector<SecretFile> look_at_secret_files(const std::vector<std::string>& paths, Keeper keeper,
                                             const std::string& user);
/// A finding for each that is not as it should be, and one that counts the others.
Findings check_secret_files(const std::vector<SecretFile>& files, const std::string& user);

}  // namespace vigil::doctor
