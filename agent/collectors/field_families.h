// Metrics whose names come out of a file: meminfo, vmstat, netstat, sockstat. Kernels add fields with every
// release, so the names are learned instead of listed, once per field. Fields stand in the same order tick
// after tick: in the steady state finding a field's family is one comparison of names.
#pragma once

#include "agent/sampling/sheet.h"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

/// A family made at run time, the same one for the same name. It lives for the whole program, as sheets
/// require. Null when `name` is no metric name, or after kMaxLearnedFamilies different ones: no kernel has so
/// many, so the file is not what it should be. Thread-safe.
const Family* learn_family(std::string_view name, std::string_view help, SeriesType type);
inline constexpr std::size_t kMaxLearnedFamilies = 2000;

/// Remembers which family belongs to which field of a file. Used by one thread.
class FieldFamilies {
 public:
  /// Decides on a field met for the first time: its family, or null to leave it out.
  using Declare = const Family* (*)(std::string_view group, std::string_view field);
  explicit FieldFamilies(Declare declare) : declare_(declare) {}

  /// Starts at the head of the file.
  void rewind() { place_ = 0; }
  /// The family of the next field, null when it is left out. `group` tells apart fields of one name ("" where
  /// there are no groups).
  const Family* next(std::string_view group, std::string_view field);

 private:
  struct Known {
    std::string group;
    std::string field;
    const Family* family = nullptr;
  };

  Declare declare_;
  std::vector<Known> known_;
  std::size_t place_ = 0;
};

}  // namespace vigil::agent
