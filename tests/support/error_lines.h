// What this process writes to standard error, for tests of what is logged.
#pragma once

#include "tests/support/catch.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace vigil::test {

/// While it lives, standard error goes to the file `path`.
class ErrorLines {
 public:
  explicit ErrorLines(const std::string& path) : path_(path), before_(::dup(STDERR_FILENO)) {
    std::FILE* const file = std::fopen(path_.c_str(), "w");
    REQUIRE(file != nullptr);
    ::dup2(::fileno(file), STDERR_FILENO);
    std::fclose(file);
  }
  ~ErrorLines() { end(); }
  ErrorLines(const ErrorLines&) = delete;
  ErrorLines& operator=(const ErrorLines&) = delete;

  /// Those of one component of the log; and standard error is as it was.
  std::vector<std::string> end_of(const std::string& component) {
    end();
    std::vector<std::string> lines;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) {
      if (line.find(' ' + component + ": ") != std::string::npos) lines.push_back(line);
    }
    return lines;
  }

 private:
  void end() {
    if (before_ < 0) return;
    ::dup2(before_, STDERR_FILENO);
    ::close(std::exchange(before_, -1));
  }

  const std::string path_;
  int before_;
};

}  // namespace vigil::test
