// A secret of a configuration: written into it, or in a file of its own, which is read when it is used.
#pragma once

#include "common/config/fields.h"

#include <string>
#include <string_view>

namespace vigil::routing {

struct Secret {
  std::string value;
  std::string file;
  bool empty() const { return value.empty() && file.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;
};

/// The keys `key` and `key_file`, of which one at most may be there.
inline void describe_secret(config::Fields& fields, std::string_view key, Secret& secret,
                            std::string_view doc) {
  const std::string file_key = std::string(key) + "_file";
  fields.field(key, secret.value, doc);
  fields.path(file_key, secret.file, "File that holds it.");
  fields.require(file_key, secret.value.empty() || secret.file.empty(),
                 fmt::format("give either {} or {}", key, file_key));
}

}  // namespace vigil::routing
