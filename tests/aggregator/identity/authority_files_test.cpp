#include "aggregator/identity/authority_files.h"

#include "common/config/files.h"
#include "common/tls/certificate.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace vigil::aggregator::identity {
namespace {

constexpr std::int64_t kMoment = 1'790'000'000'000;
constexpr Making kYear{kMoment, std::chrono::hours(24 * 365)};

unsigned mode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

std::string text_at(const std::string& path) {
  return config::read_file(path).value();
}

}  // namespace

TEST_CASE("what is set up is readable by whom it is for, and the server shows who signed it") {
  const test::TempDir dir;
  const std::string folder = folder_in(dir.file("data"));
  CHECK_FALSE(has_authority(folder));
  const auto done = set_up(folder, {"localhost"}, {"mon.example.org"}, kYear);
  REQUIRE(done);
  CHECK(done->made_authority);
  CHECK(done->made_server);
  CHECK(done->hosts == std::vector<std::string>{"localhost", "mon.example.org"});
  CHECK(has_authority(folder));
  CHECK(mode_of(folder) == 0700);
  CHECK(mode_of(folder + "/ca.key") == 0600);
  CHECK(mode_of(authority_path(folder)) == 0644);
  CHECK(mode_of(server_path(folder)) == 0600);
  const auto chain = tls::split_certificates(text_at(server_path(folder)));
  REQUIRE(chain);
  REQUIRE(chain->size() == 2);
  CHECK(tls::check_signed_by((*chain)[0], (*chain)[1]));
  CHECK(tls::read_certificate((*chain)[1])->fingerprint == done->fingerprint);
  CHECK(tls::check_pair(text_at(server_path(folder)), text_at(server_path(folder))));
}

TEST_CASE("setting up again overwrites nothing, but for a server's certificate that lacks a name or is due") {
  const test::TempDir dir;
  const std::string folder = dir.file("identity");
  const auto first = set_up(folder, {"localhost"}, {}, kYear);
  REQUIRE(first);
  const std::string authority = text_at(authority_path(folder));
  const std::string server = text_at(server_path(folder));

  const auto again = set_up(folder, {"otherhost"}, {}, kYear);
  REQUIRE(again);
  CHECK_FALSE(again->made_authority);
  CHECK_FALSE(again->made_server);
  CHECK(again->hosts == std::vector<std::string>{"localhost"});
  CHECK(text_at(server_path(folder)) == server);

  const auto named = set_up(folder, {}, {"10.0.0.5", "localhost"}, kYear);
  REQUIRE(named);
  CHECK(named->made_server);
  CHECK(named->hosts == std::vector<std::string>{"localhost", "10.0.0.5"});
  CHECK(text_at(server_path(folder)) != server);
  CHECK(text_at(authority_path(folder)) == authority);
  CHECK(named->fingerprint == first->fingerprint);

  CHECK_FALSE(renew_server(folder, {kMoment + 200LL * 86'400'000, kYear.life}).value());
  CHECK(renew_server(folder, {kMoment + 300LL * 86'400'000, kYear.life}).value());
  CHECK(tls::server_hosts(text_at(server_path(folder))).value() == named->hosts);
}

TEST_CASE("a set-up that was cut short is finished with the key that was made") {
  const test::TempDir dir;
  const std::string folder = dir.file("identity");
  REQUIRE(set_up(folder, {"localhost"}, {}, kYear));
  const std::string key = text_at(folder + "/ca.key");
  std::filesystem::remove(authority_path(folder));
  std::filesystem::remove(server_path(folder));
  const auto again = set_up(folder, {"localhost"}, {}, kYear);
  REQUIRE(again);
  CHECK(again->made_authority);
  CHECK(text_at(folder + "/ca.key") == key);
  CHECK(read_authority(folder));
}

TEST_CASE("a key of another authority, or one that others may read, is refused with what would be right") {
  const test::TempDir dir;
  const std::string folder = dir.file("identity");
  REQUIRE(set_up(folder, {"localhost"}, {}, kYear));
  ::chmod((folder + "/ca.key").c_str(), 0644);
  CHECK(read_authority(folder).error().message.find("chmod 600") != std::string::npos);
  ::chmod((folder + "/ca.key").c_str(), 0600);
  REQUIRE(read_authority(folder));
  std::ofstream(folder + "/ca.key") << tls::make_key().value();
  const auto refused = read_authority(folder);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("restore both from a backup") != std::string::npos);
  std::filesystem::remove(folder + "/ca.key");
  CHECK(read_authority(folder).error().code == Errc::not_found);
  CHECK_FALSE(set_up(folder, {"localhost"}, {}, kYear));  // and no new one is made beside the old certificate
}

TEST_CASE("when a certificate was made is known from its life") {
  constexpr std::int64_t kNow = 1'790'000'000'000;
  for (const std::int64_t hours : {1, 2, 24, 24 * 90}) {
    const auto life = life_of({kNow, std::chrono::hours(hours)});
    CHECK(life.not_before_ms < kNow);
    CHECK(made_at(life) == kNow);
  }
  CHECK(made_at(life_of({kNow, std::chrono::seconds(11)})) == kNow);
}

TEST_CASE("a third of a life is when it is time") {
  CHECK_FALSE(is_due(0, 900, 600));
  CHECK(is_due(0, 900, 601));
  CHECK(is_due(0, 900, 1000));
}

TEST_CASE("what was made while the clock was ahead is made anew once it is right") {
  CHECK(is_due(500, 1400, 499));
  CHECK_FALSE(is_due(500, 1400, 500));
  const test::TempDir dir;
  const std::string folder = dir.file("identity");
  const Making ahead{kYear.now_ms + 600 * 86'400'000LL, kYear.life};
  REQUIRE(set_up(folder, {"localhost"}, {}, ahead));
  REQUIRE(renew_authority(folder, kYear.now_ms).value());
  REQUIRE(renew_server(folder, kYear).value());
  for (const std::string& path : {authority_path(folder), server_path(folder)})
    CHECK(tls::read_certificate(text_at(path))->not_before_ms <= kYear.now_ms);
  CHECK_FALSE(renew_server(folder, kYear).value());
}

TEST_CASE("a file that is gone and cannot be made again is told of, and nothing new takes its place") {
  const test::TempDir dir;
  const std::string folder = dir.file("identity");
  const auto trouble = [&folder] {
    const auto complete = check_complete(folder);
    return complete ? std::string() : complete.error().message;
  };
  REQUIRE(set_up(folder, {"localhost"}, {}, kYear));
  REQUIRE(check_complete(folder));
  SECTION("identity.db, and with it what was revoked") {
    std::filesystem::remove(database_path(folder));
    CHECK_THAT(trouble(), Catch::Contains("identity.db is gone"));
    CHECK_THAT(trouble(), Catch::Contains("install -m 600 /dev/null " + database_path(folder)));
    CHECK_FALSE(set_up(folder, {"localhost"}, {}, kYear));
    std::filesystem::remove(authority_path(folder));  // and that as well
    CHECK_FALSE(set_up(folder, {"localhost"}, {}, kYear));
    CHECK_FALSE(std::filesystem::exists(database_path(folder)));
    std::ofstream(database_path(folder)).flush();  // somebody says so
    CHECK(set_up(folder, {"localhost"}, {}, kYear));
    CHECK(check_complete(folder));
  }
  SECTION("the key") {
    std::filesystem::remove(key_path(folder));
    std::filesystem::remove(authority_path(folder));
    CHECK_THAT(trouble(), Catch::Contains("ca.key is gone"));
    CHECK_FALSE(set_up(folder, {"localhost"}, {}, kYear));
    CHECK_FALSE(std::filesystem::exists(key_path(folder)));
  }
  SECTION("the authority's certificate, which init makes again") {
    std::filesystem::remove(authority_path(folder));
    CHECK_THAT(trouble(), Catch::Contains("ca.pem is gone: vigil-aggregator init"));
    CHECK(has_authority(folder));
    CHECK(set_up(folder, {"localhost"}, {}, kYear));
    CHECK(check_complete(folder));
  }
}

}  // namespace vigil::aggregator::identity
