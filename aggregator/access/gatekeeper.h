// Decides who comes in: finds out who a caller is by what he shows and where he comes from, and whether that
// is enough for what he wants. gRPC and HTTP ask the same one. Any thread; nothing blocks.
//
//   certificate   of a host (URI vigil:host:NAME): Ingest only; of a person (vigil:person:NAME): the role of
//                 the user of that name; of one's own authority: the role access.certificates gives its
//                 common name, else a host's
//   Bearer        a token, or a JWT of the OpenID Connect provider (oidc/people.h)
//   Basic         a user with a password
//   nothing       the role of the place: the socket admin, loopback access.loopback, else access.anonymous
//
// A credential that is shown counts, and a wrong one is refused, wherever it comes from. Five wrong ones a
// minute from one source, and nobody looks at more of them. A token that was made here and expired or was
// revoked is wrong, too, but no guess: it keeps no other credential of its source out.
#pragma once

#include "aggregator/access/accounts.h"
#include "aggregator/access/config.h"
#include "aggregator/access/limits.h"
#include "aggregator/access/oidc/people.h"
#include "aggregator/access/passwords.h"
#include "aggregator/access/role.h"
#include "aggregator/self/registry.h"

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator::access {

/// Where a caller comes from.
enum class Place : std::uint8_t { socket, loopback, away };

/// Of a certificate that was verified.
struct CertificateNames {
  std::string common_name;
  std::vector<std::string> uris;
  std::string pem = {};
};

/// What a caller shows.
struct Presented {
  Place place = Place::away;
  std::string source;         // what wrong credentials are counted by: an address
  std::string authorization;  // the header's value; "": none
  std::optional<CertificateNames> certificate;
};

struct Verdict {
  enum class Answer : std::uint8_t {
    yes,
    unauthenticated,  // show who you are, or: that is wrong
    forbidden,        // known, and may not
    too_many,         // wrong credentials, or requests
    ask_slowly        // a password is to be looked at, or the provider to be asked: check_slowly()
  };
  Answer answer = Answer::unauthenticated;
  Caller caller;
  std::string why;  // for who is refused; no secrets
};

class Gatekeeper {
 public:
  struct Options {
    AccessConfig config;
    bool has_client_ca = false;
    std::function<std::int64_t()> now_ms;
    oidc::People* people = nullptr;  // null: nobody comes in by OpenID Connect
  };
  /// `options.people`, `accounts` and `registry` outlive this.
  Gatekeeper(Options options, Accounts& accounts, self::Registry& registry);

  Verdict check(const Presented& presented, const Need& need);
  /// Where check() said so: `done` is called once, now or on another thread.
  void check_slowly(const Presented& presented, const Need& need, std::function<void(Verdict)> done);
  /// Who he is, without limits and counting: for a call that was let in.
  Caller identify(const Presented& presented) const;
  /// Whether who was let in still may, without limits and counting: for what lasts. Yes, too, while nobody
  /// can say: a provider that is away for a moment ends nothing.
  Verdict check_again(const Presented& presented, const Need& need) const;
  /// Counts a refusal that a service decided on: a secret that was wrong, or too many of them.
  void count_refusal(Verdict::Answer answer) const {
    (answer == Verdict::Answer::too_many ? refused_rate_ : refused_wrong_).add();
  }
  /// A source for what has no address, such as a connection. None is given twice.
  std::string new_source() { return fmt::format("connection {}", ++sources_); }
  void stop() { passwords_.stop(); }

 private:
  struct Known {
    // away: nobody can say whether it is wrong. no_key: it is, but of a key that is seconds old this may be
    // so, and to guess one is no way in: nobody is locked out for it.
    // over: it was right once, which is no guess either.
    enum class State : std::uint8_t { known, wrong, over, ask, away, no_key } state = State::known;
    Caller caller;
    std::string why = {};
  };
  Known find(const Presented& presented) const;
  Known find_credential(const std::string& authorization) const;
  Known find_token(const std::string& text) const;
  Known find_person(const std::string& token) const;
  static Known known_by(oidc::Opinion opinion);
  bool is_for_people(const std::string& token) const;
  Caller by_certificate(const CertificateNames& names) const;
  Caller by_host(std::string name) const;
  Caller by_place(Place place) const;
  Verdict wrong(const std::string& source, std::string why);
  Verdict over(const std::string& source, std::string why);
  Verdict settle(Known known, const std::string& source, const Need& need);
  void check_person(const std::string& token, const Presented& presented, const Need& need,
                    std::function<void(Verdict)> done);
  Verdict judge(Caller caller, const std::string& source, const Need& need);
  Verdict compare(Caller caller, const Need& need) const;
  std::string too_little(const Caller& caller, const Need& need) const;

  const Options options_;
  Accounts& accounts_;
  Buckets failures_;  // by source
  Buckets over_;      // by source
  Buckets requests_;  // by caller
  FewLines lines_;    // about failures_ and over_
  self::Counter& refused_wrong_;
  self::Counter& refused_unknown_;
  self::Counter& refused_role_;
  self::Counter& refused_rate_;
  std::atomic<std::uint64_t> sources_ = 0;
  Passwords passwords_;  // last: its thread ends before what it uses goes
};

}  // namespace vigil::aggregator::access
