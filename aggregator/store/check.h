// Reads a data folder to the last byte and tells what is wrong with it, while the aggregator goes on: by
// read-only connections of its own, each file as it is when its turn comes. What it finds it only tells;
// nothing is repaired or removed.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace vigil::aggregator {

struct CheckFinding {
  std::string file;
  std::string host;           // empty: not of one host
  std::string source;         // empty: not of one source
  std::int64_t first_ms = 0;  // what may be lost; both 0: not known
  std::int64_t last_ms = 0;
  std::string what;
};

struct CheckTotals {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t blocks = 0;
  std::uint64_t samples = 0;
  std::uint64_t groups = 0;  // of the journal
  std::uint64_t findings = 0;
};

struct CheckCallbacks {
  std::function<void(const CheckFinding&)> found;
  /// In bytes, about; false ends the check.
  std::function<bool(std::uint64_t done, std::uint64_t total, const std::string& file)> progress;
};

struct CheckScope {
  std::filesystem::path directory;
  std::string vfs;
  std::vector<std::string> also;  // other databases in it: looked at by SQLite only
  std::vector<std::string> gone =
      {};  // files that the last start missed and forgot: the index names them no more
};

/// Errc::unavailable: ended by `progress`. A damaged file is a finding, not an error.
Result<CheckTotals> check_files(const CheckScope& scope, const CheckCallbacks& callbacks);

}  // namespace vigil::aggregator
