#include "agent/delivery/identity.h"

#include "agent/files/proc_file.h"
#include "common/wire/names.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>

namespace vigil::agent {
namespace {

constexpr std::size_t kIdBytes = 16;
constexpr std::string_view kApplication = "vigil.v1 host identity";

/// As sd_id128_get_machine_app_specific(3): a keyed hash, cut to 128 bits.
std::string derive(std::string_view secret) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(kApplication.data()), kApplication.size(), digest.data(),
         &length);
  return {reinterpret_cast<const char*>(digest.data()), kIdBytes};
}

}  // namespace

Result<std::string> machine_identity(const std::string& etc_path) {
  const std::string path = etc_path + "/machine-id";
  const auto id = read_small_file(path, 64);
  if (!id) return id.error();
  const bool is_hex = id->find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  if (id->size() != 2 * kIdBytes || !is_hex) {
    return fail(Errc::parse, "{}: expected 32 hexadecimal digits", path);
  }
  return derive(*id);
}

std::string identity_from_name(const std::string& host_name) {
  return derive("name:" + host_name);
}

std::string random_stream_id() {
  std::string id(kIdBytes, '\0');
  // Up to 256 bytes come whole and without a signal's interruption, once the pool is ready (getrandom(2)).
  if (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) std::abort();
  return id;
}

std::string boot_identity(const std::string& procfs) {
  const auto id = read_small_file(procfs + "/sys/kernel/random/boot_id", 64);
  return id ? *id : std::string();
}

std::string host_name() {
  std::array<char, 256> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0 || buffer[0] == '\0') return "localhost";
  std::string name = buffer.data();
  for (char& c : name) {
    if (!wire::valid_host_name({&c, 1})) c = '-';
  }
  return name.substr(0, wire::kMaxHostBytes);
}

}  // namespace vigil::agent
