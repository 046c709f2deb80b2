// What remains of a configuration file of config::example() when its reader has switched every key on.
#pragma once

#include <sstream>
#include <string>

namespace vigil::test {

/// `text` without the first # of every line.
inline std::string switched_on(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);)
    out += (line.starts_with('#') ? line.substr(1) : line) + '\n';
  return out;
}

}  // namespace vigil::test
