// `vigil-aggregator init`: sets the authority of a data folder up, and says what it made.
#pragma once

#include "aggregator/identity/authority.h"

#include <string>
#include <vector>

namespace vigil::aggregator::identity {

struct InitOptions {
  std::vector<std::string> names;  // more names and addresses of this aggregator
  std::string person;              // whose first certificate is made; empty: nobody's
  std::string out;                 // folder for that
};

/// Names and addresses of this host by which others may reach it, loopback among them.
std::vector<std::string> own_hosts();

/// Of the names and addresses of the aggregator's certificate the one to tell others: what `init --name` was
/// given last, since it is none of this machine's own; else this machine's name.
std::string host_to_tell(const std::vector<std::string>& certified, const std::vector<std::string>& own,
                         const std::string& machine_name);

/// What init() made, for the log of changes.
struct Made {
  std::string what;    // "authority.make", "certificate.issue"
  std::string object;  // whose it is
  std::string text;    // JSON; no secrets
};

struct InitDone {
  std::string said;  // what is to be printed
  std::vector<Made> made;
};

/// Whether that can be meant. Errc::invalid_argument.
Result<void> check(const InitOptions& options);

/// Safe to repeat: what is there stays, but a certificate of the server that
/// lacks one of the names. `now_ms` is our clock.
Result<InitDone> init(const std::string& data_directory, const InitOptions& options, const Lives& lives,
                      std::int64_t now_ms);

}  // namespace vigil::aggregator::identity
