// What became of a reload that was taken: for people, in words.
#pragma once

#include <string>
#include <vector>

namespace vigil::aggregator {

struct ReloadReport {
  std::vector<std::string> changed;  // keys, rules and files that are in force now as they were not before
  std::vector<std::string>
      needs_restart;                  // keys that the file has otherwise than this process since its start
  std::vector<std::string> warnings;  // what was taken and is probably not meant
};

}  // namespace vigil::aggregator
