// Which devices, mounts or file systems to leave out, by regular expression. The lists of /proc stand in the
// same order tick after tick, so a verdict is remembered by its place in the list: in the steady state one
// comparison of names, no matching, no allocation.
#pragma once

#include "common/error.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace vigil::agent {

/// Used by one thread.
class NameFilter {
 public:
  /// `exclude` is an RE2 expression looked for anywhere in the name, as node_exporter does: anchor it with ^
  /// and $. "" excludes nothing.
  explicit NameFilter(const std::string& exclude);
  ~NameFilter();
  NameFilter(NameFilter&&) noexcept;
  NameFilter& operator=(NameFilter&&) noexcept;

  /// Errc::invalid_argument when the expression does not compile; such a filter excludes nothing.
  Result<void> valid() const;
  /// Starts at the head of a list.
  void rewind() { place_ = 0; }
  /// Is the next name of the list excluded?
  bool excludes(std::string_view name);

 private:
  struct Verdict {
    std::string name;
    bool excluded = false;
  };
  static constexpr std::size_t kMaxRemembered = 4096;

  std::unique_ptr<re2::RE2> expression_;  // null: excludes nothing
  std::vector<Verdict> verdicts_;
  std::size_t place_ = 0;
};

}  // namespace vigil::agent
