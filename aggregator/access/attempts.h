// Who may try a secret where anybody may call: so many wrong ones of a source, so many tries of all together,
// and a log that says what happens without a line for each. Times come in as arguments. Any thread.
#pragma once

#include "aggregator/access/limits.h"
#include "common/error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace vigil::aggregator::access {

class Attempts {
 public:
  struct Options {
    std::string what = "secrets";  // for who is refused
    double wrong_per_minute = 5;   // of one source; so many at once
    double over_per_minute = 60;   // the same, of those that were right once
    double per_second = 20;        // of all sources, right or wrong; ten times as many at once
    double lines_per_minute = 10;
    std::size_t sources = 10'000;
  };
  Attempts() : Attempts(Options{}) {}
  explicit Attempts(const Options& options);

  /// Before a secret is looked at. Errc::limit says when to come again.
  Result<void> begin(const std::string& source, std::int64_t now_ms);
  /// It was wrong.
  void wrong(const std::string& source, std::int64_t now_ms) { wrong_.take(source, now_ms); }
  /// It was right once, and counts no more: no guess, but not to be looked at without end either.
  void over(const std::string& source, std::int64_t now_ms) { over_.take(source, now_ms); }
  /// Whether something may be logged; then how many lines were left out before it.
  std::optional<std::uint64_t> line(std::int64_t now_ms) { return lines_.take(now_ms); }

 private:
  const std::string what_;
  Buckets wrong_;  // by source
  Buckets over_;   // the same
  Buckets all_;
  FewLines lines_;
};

}  // namespace vigil::aggregator::access
