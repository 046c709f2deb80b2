#include "agent/files/optional_file.h"

namespace vigil::agent {

Result<std::string_view> OptionalFile::read() {
  if (reads_to_skip_ > 0) {
    --reads_to_skip_;
    return std::string_view{};
  }
  auto content = file_.read();
  if (content) return content;
  if (content.error().code != Errc::not_found && content.error().code != Errc::unsupported) return content;
  reads_to_skip_ = kRetryReads;
  return std::string_view{};
}

}  // namespace vigil::agent
