#include "aggregator/doctor/authority_checks.h"

#include "aggregator/identity/authority_files.h"
#include "common/config/files.h"
#include "common/text/human.h"
#include "common/tls/certificate.h"

#include <utility>

namespace vigil::aggregator {
namespace {

constexpr std::string_view kCertificates = "certificates";

struct Life {
  std::int64_t from_ms = 0;
  std::int64_t until_ms = 0;
};

doctor::Finding check_life(const std::string& path, const Life& life, std::int64_t now_ms,
                           const std::string& when_over) {
  const std::string until = format_rfc3339(life.until_ms);
  if (now_ms < life.from_ms)
    return doctor::problem(
        kCertificates, path, "good only from " + format_rfc3339(life.from_ms),
        "look at the clock of this machine; once it is right the aggregator makes it anew");
  if (now_ms >= life.until_ms) return doctor::problem(kCertificates, path, "expired at " + until, when_over);
  if (life.until_ms - now_ms < (life.until_ms - life.from_ms) / 4)
    return doctor::warning(kCertificates, path, "ends at " + until + ", and should have been renewed by now",
                           "start the aggregator, which renews it; journalctl -u vigil-aggregator says what "
                           "keeps it");
  return doctor::ok(kCertificates, path, "good until " + until + "; the aggregator renews it");
}

}  // namespace

AuthorityFacts look_at_authority(const std::string& folder) {
  AuthorityFacts facts;
  facts.folder = folder;
  if (const auto complete = identity::check_complete(folder); !complete) {
    facts.trouble = complete.error().message;
    return facts;
  }
  const auto authority = identity::read_authority(folder);
  const auto server = config::read_private_key(identity::server_path(folder));
  if (!authority || !server) {
    facts.trouble = authority ? server.error().message : authority.error().message;
    return facts;
  }
  const auto own = tls::read_certificate(authority->certificate);
  const auto shown = tls::read_certificate(*server);
  if (!own || !shown) {
    facts.trouble = own ? identity::server_path(folder) + ": " + shown.error().message : own.error().message;
    return facts;
  }
  facts.authority_from_ms = own->not_before_ms;
  facts.authority_until_ms = own->not_after_ms;
  facts.server_from_ms = shown->not_before_ms;
  facts.server_until_ms = shown->not_after_ms;
  return facts;
}

doctor::Findings check_authority(const AuthorityFacts& facts, std::int64_t now_ms) {
  if (!facts.trouble.empty())
    return {
        doctor::problem(kCertificates, facts.folder, facts.trouble,
                        "run the doctor as root or as who runs the service; else put the folder back from "
                        "a backup (docs/identity.md)")};
  return {
      check_life(identity::authority_path(facts.folder), {facts.authority_from_ms, facts.authority_until_ms},
                 now_ms,
                 "nobody trusts it any more: move the folder away, vigil-aggregator init, invite all anew"),
      check_life(identity::server_path(facts.folder), {facts.server_from_ms, facts.server_until_ms}, now_ms,
                 "start the aggregator, or run vigil-aggregator init: both renew it")};
}

}  // namespace vigil::aggregator
