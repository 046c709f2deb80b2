// What an aggregator may ask this host to do: a file that root alone can change names programs with all their
// arguments, and nothing else can be run.
//
//   # /etc/vigil/actions.yml
//   actions:
//     restart-nginx:
//       command: [/usr/bin/systemctl, restart, nginx.service]
//       timeout: 1m
#pragma once

#include "common/config/fields.h"
#include "common/error.h"

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace vigil::agent {

struct AllowedAction {
  std::vector<std::string> command;  // an absolute path, and arguments as they are
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
};
void describe(config::Fields& fields, AllowedAction& action);

struct AllowList {
  std::map<std::string, AllowedAction> actions;
};
void describe(config::Fields& fields, AllowList& list);

/// What keeps it from being run, or "": its program is not there, or others than root or `owner` may change
/// it.
std::string fault_of(const AllowedAction& action, uid_t owner = 0);

/// Read anew each time it is asked for: it is root's word of this moment. Errc::permission when file or
/// folder are not `owner`'s, or others may change them; Errc::not_found; errors of its text with their
/// places.
Result<AllowList> read_allow_list(const std::string& path, uid_t owner = 0);

}  // namespace vigil::agent
