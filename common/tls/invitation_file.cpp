#include "common/tls/invitation_file.h"

#include "common/config/files.h"
#include "common/text/lines.h"
#include "common/text/trim.h"
#include "common/tls/token.h"

#include <fmt/format.h>

#include <utility>

namespace vigil::tls {
std::string to_text(const InvitationFile& invitation, std::string_view remark) {
  return fmt::format("# {}\naggregator: {}\nfingerprint: {}\ntoken: {}\n", remark, invitation.aggregator,
                     invitation.fingerprint, invitation.token);
}

Result<InvitationFile> parse_invitation(std::string_view text) {
  InvitationFile invitation;
  const std::pair<std::string_view, std::string&> keys[] = {{"aggregator:", invitation.aggregator},
                                                            {"fingerprint:", invitation.fingerprint},
                                                            {"token:", invitation.token}};
  for_each_line(text, [&](std::string_view line) {
    for (const auto& [key, value] : keys) {
      if (line.starts_with(key)) value = trim(line.substr(key.size()));
    }
  });
  for (const auto& [key, value] : keys) {
    if (value.empty())
      return fail(Errc::parse, "has no line '{} ...': vigil agent invite --out FILE writes it whole", key);
  }
  if (!looks_like_token(invitation.token))
    return fail(Errc::parse, "the token is none: vigil agent invite --out FILE writes it whole");
  return invitation;
}

Result<InvitationFile> read_invitation(const std::string& path) {
  const auto text = config::read_guarded(path, "invitation");
  if (!text) return text.error();
  auto invitation = parse_invitation(*text);
  if (!invitation) return fail(invitation.error().code, "{}: {}", path, invitation.error().message);
  return invitation;
}

}  // namespace vigil::tls
