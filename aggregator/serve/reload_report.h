// What became of a reload that was taken: for people, in words.
#pragma once

#include "aggregator/access/audit.h"
#include "common/config/fields.h"
#include "common/error.h"

#include <string>
#include <vector>

namespace vigil::aggregator {

struct ReloadReport {
  std::vector<std::string> changed;  // keys, rules and files that are in force now as they were not before
  std::vector<std::string>
      needs_restart;                  // keys that the file has otherwise than this process since its start
  std::vector<std::string> warnings;  // what was taken and is probably not meant
  std::vector<config::Setting> before = {};  // keys that changed, as they were; secrets replaced
  std::vector<config::Setting> after = {};   // as they are
};

/// How a reload stands in the log of changes: the keys that changed, their values before and after, and what
/// else is other than before; or why the file was refused.
access::Change change_of(const Result<ReloadReport>& report);

}  // namespace vigil::aggregator
