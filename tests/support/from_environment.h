// What ./dev torture tells test programs: how much to do, from which seed, and to show how far they are.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace vigil::testing {

/// The number in an environment variable, or `otherwise`.
inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

/// A line that is written over and over, if VIGIL_PROGRESS is set.
class Progress {
 public:
  Progress(std::string what, std::uint64_t total)
      : what_(std::move(what)), total_(total), shown_(number_from_environment("VIGIL_PROGRESS", 0) != 0) {}
  ~Progress() {
    if (shown_) std::fputc('\n', stdout);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void at(std::uint64_t done) const {
    if (!shown_) return;
    std::fprintf(stdout, "\r%s: %llu of %llu", what_.c_str(), static_cast<unsigned long long>(done),
                 static_cast<unsigned long long>(total_));
    std::fflush(stdout);
  }

 private:
  std::string what_;
  std::uint64_t total_;
  bool shown_;
};

}  // namespace vigil::testing
