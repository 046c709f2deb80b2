#include "agent/enrolment/asking.h"

#include "agent/enrolment/identity_file.h"
#include "common/config/files.h"
#include "common/tls/kept_file.h"
#include "common/tls/signing.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

namespace vigil::agent {
namespace {

constexpr std::string_view kRequestBegins = "-----BEGIN CERTIFICATE REQUEST-----";

std::string remark_for(const std::string& purpose) {
  return fmt::format("# Of vigil-agent enroll, which waits for its answer. For {}\n", purpose);
}

/// Of an earlier run; nothing, when there is none that fits.
std::optional<Asking> kept_asking(const std::string& folder, const std::string& purpose) {
  const auto text = config::read_private_key(asking_path(folder));
  const std::string remark = remark_for(purpose);
  if (!text || !text->starts_with(remark)) return std::nullopt;
  const std::size_t at = text->find(kRequestBegins);
  if (at == std::string::npos) return std::nullopt;
  Asking asking{text->substr(remark.size(), at - remark.size()), text->substr(at)};
  const auto half = tls::public_half(asking.key);
  const auto asked = tls::read_request(asking.request);
  if (!half || !asked || *half != *asked) return std::nullopt;
  return asking;
}

Error cannot_keep(const Error& error, const std::string& folder) {
  return fail(error.code,
              "{}: nothing was sent, and the token can still be used. Run it as root, with room left in {}, "
              "or say another folder with --spool",
              error.message, folder);
}

}  // namespace

std::string asking_path(const std::string& folder) {
  return folder + "/enroll.pending";
}

Result<Asking> keep_asking(const std::string& folder, const std::string& purpose) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    if (auto made = tls::keep_folder(folder); !made) return cannot_keep(made.error(), folder);
  }
  if (auto can = tls::try_file(identity_path(folder)); !can) return cannot_keep(can.error(), folder);
  if (auto kept = kept_asking(folder, purpose)) return std::move(*kept);
  auto key = tls::make_key();
  if (!key) return key.error();
  auto request = tls::make_request(*key, "vigil-agent");
  if (!request) return request.error();
  if (auto kept =
          tls::keep_file(asking_path(folder), remark_for(purpose) + *key + *request, tls::Readable::by_owner);
      !kept)
    return cannot_keep(kept.error(), folder);
  return Asking{std::move(*key), std::move(*request)};
}

void forget_asking(const std::string& folder) {
  std::error_code error;
  std::filesystem::remove(asking_path(folder), error);
}

}  // namespace vigil::agent
