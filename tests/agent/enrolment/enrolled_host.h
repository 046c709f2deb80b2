// A host as an authority enrolled it, with a clock the test turns.
#pragma once

#include "agent/enrolment/identity_file.h"
#include "aggregator/identity/authority.h"
#include "common/config/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <memory>
#include <string>

namespace vigil::agent::testing {

inline constexpr std::int64_t kStart = 1'790'000'000'000;
inline constexpr std::int64_t kDay = 86'400'000;

namespace authority = aggregator::identity;

struct EnrolledHost {
  EnrolledHost() {
    REQUIRE(authority::set_up(dir.file("identity"), {"mon.example.org"}, {},
                              {now_ms, authority::Lives{}.server}));
    auto opened = authority::Authority::open({dir.file("identity"), {}, [this] { return now_ms; }});
    REQUIRE(opened);
    aggregator = std::move(*opened);
    const std::string key = tls::make_key().value();
    const auto invited = aggregator->invite("web-1", {}, authority::Replace::refused);
    const auto issued = aggregator->enroll({invited.value().token, tls::make_request(key, "any").value()});
    REQUIRE(issued);
    const auto identity =
        make_identity("mon.example.org:8460", {issued->issued.authority, issued->issued.certificate, key});
    REQUIRE(identity);
    REQUIRE(store_identity(folder, *identity));
  }
  OwnIdentity present() const { return load_identity(folder).value(); }
  std::vector<std::string> shown() const {
    const std::string path = authority::server_path(dir.file("identity"));
    return tls::split_certificates(config::read_private_key(path).value()).value();
  }

  test::TempDir dir;
  std::string folder = dir.file("agent");
  std::int64_t now_ms = kStart;
  std::unique_ptr<authority::Authority> aggregator;
};

}  // namespace vigil::agent::testing
