// `rules check` and `rules test`: what people, and programs, see of rules on trial. They print, and give the
// exit code. No aggregator runs for them, nothing is listened on, no data is touched.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vigil::trial {

/// For people, with what is wrong on standard error; or all of it on standard output, an array with an object
/// for each file.
enum class Form : std::uint8_t { text, json };

/// 0: all files can be loaded; 1: some cannot.
int check_rules(const std::vector<std::string>& paths, Form form);

/// 0: all tests pass; 1: some do not, or a file is wrong.
int test_rules(const std::vector<std::string>& paths, Form form);

}  // namespace vigil::trial
