// access.db in a folder that goes with the test, and what stands on it; the clock stands until it is set.
#pragma once

#include "aggregator/access/accounts.h"
#include "aggregator/access/gatekeeper.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <atomic>
#include <future>
#include <memory>

namespace vigil::aggregator::access {

inline constexpr std::int64_t kT0 = 1'800'000'000'000;

struct Fixture {
  explicit Fixture(AccessConfig config = {}, bool has_client_ca = false) : config_(std::move(config)) {
    open();
    gatekeeper = std::make_unique<Gatekeeper>(
        Gatekeeper::Options{config_, has_client_ca, [this] { return now.load(); }}, *accounts, registry);
  }
  /// As after a restart; the gatekeeper must be gone.
  void open() {
    accounts.reset();
    audit.reset();
    file.reset();
    file = AccessFile::open(folder.file(kAccessFile)).value();
    audit = std::make_unique<Audit>(*file, [this] { return now.load(); });
    accounts = Accounts::load(*file, *audit, [this] { return now.load(); }).value();
  }
  std::string token(const std::string& name, Role role, Area scope = Area::other, std::int64_t expires = 0) {
    Token wanted;
    wanted.name = name;
    wanted.role = role;
    wanted.scope = scope;
    wanted.expires_ms = expires;
    const auto text = accounts->create_token(wanted, root);
    REQUIRE(text);
    return *text;
  }
  Verdict ask(const std::string& authorization, const Need& need, Place place = Place::away,
              const std::string& source = "192.0.2.1") {
    return ask({place, source, authorization, std::nullopt}, need);
  }
  Verdict ask(const Presented& presented, const Need& need) {
    Verdict verdict = gatekeeper->check(presented, need);
    if (verdict.answer != Verdict::Answer::ask_slowly) return verdict;
    std::promise<Verdict> answer;
    gatekeeper->check_slowly(presented, need, [&answer](Verdict late) { answer.set_value(std::move(late)); });
    return answer.get_future().get();
  }

  test::TempDir folder;
  std::atomic<std::int64_t> now = kT0;
  const Actor root{Caller::Kind::socket, "", "unix:"};
  self::Registry registry;
  std::unique_ptr<AccessFile> file;
  std::unique_ptr<Audit> audit;
  std::unique_ptr<Accounts> accounts;
  std::unique_ptr<Gatekeeper> gatekeeper;

 private:
  const AccessConfig config_;
};

}  // namespace vigil::aggregator::access
