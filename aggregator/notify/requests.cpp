#include "aggregator/notify/requests.h"

#include "aggregator/notify/text.h"
#include "common/config/fields.h"
#include "common/text/ascii.h"
#include "common/version.h"

namespace vigil::notify {

Result<void> check_url(std::string_view url) {
  const bool fine =
      (url.starts_with("https://") && url.size() > 8) || (url.starts_with("http://") && url.size() > 7);
  if (!fine || has_control(url) || url.find(' ') != std::string_view::npos) {
    return fail(Errc::invalid_argument, "the URL must begin with https:// or http:// and have no spaces");
  }
  return {};
}

Result<void> check_header(std::string_view name, std::string_view value) {
  const bool fine = !name.empty() && name.find_first_of(": \t") == std::string_view::npos &&
                    !has_control(name) && !has_control(value);
  if (fine) return {};
  return fail(Errc::invalid_argument,
              "'{}' is not a valid header: a name without spaces or colons, a value of one line", name);
}

std::vector<std::string> common_headers(std::string_view key, std::string_view content_type) {
  return {fmt::format("Content-Type: {}", content_type), fmt::format("User-Agent: vigil/{}", kVersion),
          fmt::format("Idempotency-Key: {}", one_line(key)), "Expect:"};
}

std::vector<std::string> common_headers(const Shipment& shipment, std::string_view content_type) {
  return common_headers(shipment.key(), content_type);
}

Result<std::vector<std::string>> webhook_headers(const WebhookConfig& webhook, const config::Place& at) {
  std::vector<std::string> out;
  for (const auto& [header, value] : webhook.headers) {
    if (const auto fine = check_header(header, value); !fine)
      return at.wrong("webhook.headers", fine.error().message);
    out.push_back(fmt::format("{}: {}", header, value));
  }
  if (webhook.token_file.empty()) return out;
  const auto token = config::read_secret(webhook.token_file);
  if (!token) return at.wrong("webhook.token_file", token.error().message);
  out.push_back(fmt::format("Authorization: Bearer {}", *token));
  return out;
}

}  // namespace vigil::notify
