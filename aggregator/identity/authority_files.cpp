#include "aggregator/identity/authority_files.h"

#include "common/config/files.h"
#include "common/tls/certificate.h"
#include "common/tls/kept_file.h"
#include "common/tls/token.h"

#include <algorithm>
#include <filesystem>

namespace vigil::aggregator::identity {
namespace {

constexpr std::chrono::milliseconds kAuthorityLife = std::chrono::hours(24) * 3653;
constexpr std::int64_t kMostSkewMs = 300'000;  // of peers' clocks

bool is_there(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

/// The key first: with it alone the certificate can be made again. The certificate comes last: where it is,
/// certificates may have been revoked.
Result<void> make_authority_files(const std::string& folder, std::int64_t now_ms) {
  if (!is_there(key_path(folder))) {
    const auto key = tls::make_key();
    if (!key) return key.error();
    if (auto kept = tls::keep_file(key_path(folder), *key, tls::Readable::by_owner); !kept) return kept;
  }
  if (!is_there(database_path(folder))) {
    if (auto kept = tls::keep_file(database_path(folder), "", tls::Readable::by_owner); !kept) return kept;
  }
  const auto key = config::read_private_key(key_path(folder));
  if (!key) return key.error();
  const auto half = tls::public_half(*key);
  if (!half) return fail(half.error().code, "{}: {}", key_path(folder), half.error().message);
  // Of its own, or one authority could be taken for another.
  const std::string name = "vigil CA " + tls::digest_of(*half).substr(0, 8);
  const auto certificate = tls::make_authority(*key, name, life_of({now_ms, kAuthorityLife}));
  if (!certificate) return certificate.error();
  return tls::keep_file(authority_path(folder), *certificate, tls::Readable::by_everybody);
}

Result<void> make_server(const std::string& folder, const tls::Signer& authority,
                         const std::vector<std::string>& hosts, const Making& making) {
  const auto key = tls::make_key();
  if (!key) return key.error();
  const auto half = tls::public_half(*key);
  if (!half) return half.error();
  const tls::Subject subject{"vigil-aggregator", {}, hosts, tls::Purpose::server};
  const auto certificate = tls::issue(authority, *half, subject, life_of(making));
  if (!certificate) return certificate.error();
  return tls::keep_file(server_path(folder), *key + *certificate + authority.certificate,
                        tls::Readable::by_owner);
}

/// With a new one every host would be locked out.
Result<void> check_key(const std::string& folder) {
  if (is_there(key_path(folder)) || !has_authority(folder)) return {};
  return fail(
      Errc::not_found,
      "{0} is gone, and with it what signs certificates: put it back from a backup; or, to begin anew, "
      "move {1} away, run vigil-aggregator init and invite every host again",
      key_path(folder), folder);
}

/// With an empty one whoever was revoked would be let in again.
Result<void> check_database(const std::string& folder) {
  const bool was_set_up = is_there(authority_path(folder)) || is_there(server_path(folder));
  if (is_there(database_path(folder)) || !was_set_up) return {};
  return fail(Errc::not_found,
              "{0} is gone, and with it which certificates were revoked: put it back from a backup; or, to "
              "begin without it, run as the aggregator's user: install -m 600 /dev/null {0}, and revoke anew "
              "who was revoked",
              database_path(folder));
}

/// Whether the server shows this authority's certificate, and was signed by it.
bool is_of(const std::string& server, const std::string& authority) {
  const auto chain = tls::split_certificates(server);
  const auto own = tls::read_certificate(authority);
  if (!chain || !own || chain->size() < 2 || !tls::check_signed_by(server, authority)) return false;
  const auto shown = tls::read_certificate((*chain)[1]);
  return shown && shown->fingerprint == own->fingerprint;
}

}  // namespace

std::string folder_in(const std::string& data_directory) {
  return data_directory + '/' + kFolder;
}
std::string key_path(const std::string& folder) {
  return folder + "/ca.key";
}
std::string authority_path(const std::string& folder) {
  return folder + "/ca.pem";
}
std::string server_path(const std::string& folder) {
  return folder + "/server.pem";
}
std::string database_path(const std::string& folder) {
  return folder + "/identity.db";
}

bool has_authority(const std::string& folder) {
  return is_there(key_path(folder)) || is_there(authority_path(folder)) || is_there(server_path(folder)) ||
         is_there(database_path(folder));
}

Result<void> check_complete(const std::string& folder) {
  if (auto key = check_key(folder); !key) return key;
  if (auto database = check_database(folder); !database) return database;
  for (const std::string& path : {authority_path(folder), server_path(folder)}) {
    if (!is_there(path))
      return fail(Errc::not_found,
                  "{} is gone: vigil-aggregator init makes it again; or put it back from a backup", path);
  }
  return {};
}

Result<tls::Signer> read_authority(const std::string& folder) {
  auto certificate = config::read_certificates(authority_path(folder));
  if (!certificate) return certificate.error();
  auto key = config::read_private_key(key_path(folder));
  if (!key) return key.error();
  if (auto pair = tls::check_pair(*certificate, *key); !pair) {
    return fail(pair.error().code, "{} and {}: {}; restore both from a backup", authority_path(folder),
                key_path(folder), pair.error().message);
  }
  return tls::Signer{std::move(*certificate), std::move(*key)};
}

tls::Life life_of(const Making& making) {
  const std::int64_t life = making.life.count();
  return {making.now_ms - std::min(life / 10, kMostSkewMs), making.now_ms + life};
}

std::int64_t made_at(const tls::Life& life) {
  const std::int64_t whole = life.not_after_ms - life.not_before_ms;
  return life.not_before_ms + std::min(whole / 11, kMostSkewMs);  // the eleventh part is a tenth of the rest
}

bool is_due(std::int64_t not_before_ms, std::int64_t not_after_ms, std::int64_t now_ms) {
  return now_ms < not_before_ms || not_after_ms - now_ms < (not_after_ms - not_before_ms) / 3;
}

Result<SetUp> set_up(const std::string& folder, const std::vector<std::string>& hosts,
                     const std::vector<std::string>& more_hosts, const Making& server) {
  if (auto kept = tls::keep_folder(folder); !kept) return kept.error();
  if (auto key = check_key(folder); !key) return key.error();
  if (auto database = check_database(folder); !database) return database.error();
  SetUp done;
  if (!is_there(authority_path(folder))) {
    if (auto made = make_authority_files(folder, server.now_ms); !made) return made.error();
    done.made_authority = true;
  }
  const auto authority = read_authority(folder);
  if (!authority) return authority.error();
  const auto info = tls::read_certificate(authority->certificate);
  if (!info) return info.error();
  done.fingerprint = info->fingerprint;
  done.hosts = hosts;
  bool make = true;
  if (is_there(server_path(folder))) {
    const auto text = config::read_private_key(server_path(folder));
    if (!text) return text.error();
    const auto present = tls::server_hosts(*text);
    if (!present) return fail(present.error().code, "{}: {}", server_path(folder), present.error().message);
    const auto times = tls::read_certificate(*text);
    if (!times) return times.error();
    done.hosts = *present;
    make = is_due(times->not_before_ms, times->not_after_ms, server.now_ms) ||
           !is_of(*text, authority->certificate);
  }
  for (const std::string& host : more_hosts) {
    if (std::find(done.hosts.begin(), done.hosts.end(), host) != done.hosts.end()) continue;
    done.hosts.push_back(host);
    make = true;
  }
  if (make) {
    if (auto made = make_server(folder, *authority, done.hosts, server); !made) return made.error();
    done.made_server = true;
  }
  const auto text = config::read_private_key(server_path(folder));
  if (!text) return text.error();
  const auto made = tls::read_certificate(*text);
  if (!made) return made.error();
  done.server_until_ms = made->not_after_ms;
  return done;
}

Result<bool> renew_authority(const std::string& folder, std::int64_t now_ms) {
  const auto present = read_authority(folder);
  if (!present) return present.error();
  const auto info = tls::read_certificate(present->certificate);
  if (!info) return info.error();
  if (!is_due(info->not_before_ms, info->not_after_ms, now_ms)) return false;
  const auto next = tls::renew_authority(*present, life_of({now_ms, kAuthorityLife}));
  if (!next) return fail(next.error().code, "{}: {}", authority_path(folder), next.error().message);
  if (auto kept = tls::keep_file(authority_path(folder), *next, tls::Readable::by_everybody); !kept)
    return kept.error();
  return true;
}

Result<bool> renew_server(const std::string& folder, const Making& server) {
  if (!is_there(server_path(folder))) return fail(Errc::not_found, "{} is gone", server_path(folder));
  const auto done = set_up(folder, {}, {}, server);
  if (!done) return done.error();
  return done->made_server;
}

}  // namespace vigil::aggregator::identity
