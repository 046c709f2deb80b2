// An authority in a folder of its own, with a clock the test turns; and hosts that ask it.
#pragma once

#include "aggregator/identity/authority.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <chrono>
#include <memory>
#include <string>

namespace vigil::aggregator::identity::testing {

inline constexpr std::int64_t kStart = 1'790'000'000'000;
inline constexpr std::int64_t kMinute = 60'000;
inline constexpr std::int64_t kDay = 86'400'000;

/// A key and the request made with it.
struct Asking {
  std::string key = tls::make_key().value();
  std::string request = tls::make_request(key, "anybody").value();
};

struct OwnAuthority {
  explicit OwnAuthority(std::int64_t at_ms = kStart) : now_ms(at_ms) {
    REQUIRE(set_up(folder, {"localhost", "127.0.0.1"}, {}, {now_ms, Lives{}.server}));
    open();
  }
  void open() {
    authority.reset();
    auto opened = Authority::open({folder, lives, [this] { return now_ms; }});
    REQUIRE(opened);
    authority = std::move(*opened);
    authority->on_revoked([this](const std::vector<std::string>& serials) {
      revoked.insert(revoked.end(), serials.begin(), serials.end());
    });
  }
  Authority* operator->() { return authority.get(); }
  std::string token(const std::string& name, Replace replace = Replace::refused) {
    auto invited = authority->invite(name, {}, replace);
    REQUIRE(invited);
    return invited->token;
  }
  /// A host's certificate, the whole way.
  Issued enrolled(const std::string& name, const Asking& asking = {}) {
    auto enrolled = authority->enroll({token(name, Replace::allowed), asking.request});
    REQUIRE(enrolled);
    return enrolled->issued;
  }
  tls::Signer signer() const { return read_authority(folder).value(); }

  test::TempDir dir;
  std::string folder = dir.file("identity");
  std::int64_t now_ms;
  Lives lives;
  std::unique_ptr<Authority> authority;
  std::vector<std::string> revoked;  // serials it told of
};

}  // namespace vigil::aggregator::identity::testing
