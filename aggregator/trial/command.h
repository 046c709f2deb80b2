// `rules check` and `rules test`: what people see of rules on trial. They print, and give the exit code. No
// aggregator runs for them, nothing is listened on, no data is touched.
#pragma once

#include <string>
#include <vector>

namespace vigil::trial {

/// 0: all files can be loaded; 1: some cannot, what is wrong is on standard error.
int check_rules(const std::vector<std::string>& paths);

/// 0: all tests pass; 1: some do not, or a file is wrong.
int test_rules(const std::vector<std::string>& paths);

}  // namespace vigil::trial
