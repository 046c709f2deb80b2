// Which keys of a file read again are other than those in force, and which of these a running program takes.
//
//   InForce in_force(settings(config), {"rules", "log_level"});
//   const Changes changes = in_force.compare(settings(reread));
//   changes.taken            {"rules.overrides[0].threshold"}
//   changes.needs_restart    {"grpc_listen"}
//   in_force.adopt(settings(reread));   // what is taken; the rest stays as it was at the start
//
// A key that nobody listed as taken needs a restart, so that a new one cannot be forgotten.
#pragma once

#include "common/config/fields.h"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::config {

/// Paths of keys, in the order of the reference; items of a list of texts as their list, and what came or
/// went as a whole by its own path.
struct Changes {
  std::vector<std::string> taken;
  std::vector<std::string> needs_restart;
  /// What these stand for, key by key: the settings as they were, and as they are; secrets are among them.
  std::vector<Setting> before;
  std::vector<Setting> after;
};

/// A value; its owner guards it.
class InForce {
 public:
  /// `taken`: keys that a reload puts in force, with all that is below them.
  InForce(std::vector<Setting> at_start, std::vector<std::string_view> taken)
      : settings_(std::move(at_start)), taken_(std::move(taken)) {}

  Changes compare(const std::vector<Setting>& next) const;
  void adopt(const std::vector<Setting>& next);

 private:
  bool is_taken(std::string_view path) const;

  std::vector<Setting> settings_;
  std::vector<std::string_view> taken_;  // of constants
};

}  // namespace vigil::config
