#include "aggregator/identity/init.h"

#include "common/config/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

namespace vigil::aggregator::identity {
namespace {

constexpr std::int64_t kInitMoment = 1'790'000'000'000;

unsigned mode_at(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

}  // namespace

TEST_CASE("init says what it made, and the second time what it kept") {
  const test::TempDir dir;
  const auto first = init(dir.file("data"), {{"mon.example.org"}, "", ""}, {}, kInitMoment);
  REQUIRE(first);
  CHECK(first->said.find("made the authority " + dir.file("data/identity/ca.pem")) == 0);
  CHECK(first->said.find("sha256:") != std::string::npos);
  CHECK(first->said.find("made the aggregator's certificate") != std::string::npos);
  CHECK(first->said.find("mon.example.org") != std::string::npos);
  CHECK(mode_at(dir.file("data")) == 0700);
  CHECK(mode_at(dir.file("data/identity")) == 0700);
  CHECK(mode_at(dir.file("data/identity/identity.db")) == 0600);
  const auto second = init(dir.file("data"), {}, {}, kInitMoment);
  REQUIRE(second);
  CHECK(second->said.find("kept the authority") == 0);
  CHECK(first->said.find("started anew") != std::string::npos);
  CHECK(second->said.find("started anew") == std::string::npos);
  CHECK(second->said.find("kept the aggregator's certificate") != std::string::npos);
}

TEST_CASE("no certificate is made for somebody where its key cannot be kept") {
  const test::TempDir dir;
  std::filesystem::create_directories(dir.file("out/ada.key"));  // in the way, also of root
  const auto refused = init(dir.file("data"), {{}, "ada", dir.file("out")}, {}, kInitMoment);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Catch::Contains("no certificate was made"));
  auto authority = Authority::open({dir.file("data/identity"), {}, [] { return kInitMoment; }});
  REQUIRE(authority);
  CHECK((*authority)->certificates().empty());
}

TEST_CASE("init tells the log of changes what it made, and of nothing that it kept") {
  const test::TempDir dir;
  const auto whats = [&dir](const InitOptions& options) {
    std::vector<std::string> out;
    const auto done = init(dir.file("data"), options, {}, kInitMoment);
    REQUIRE(done);
    for (const Made& made : done->made) out.push_back(made.what + ' ' + made.object);
    return out;
  };
  CHECK(whats({}) == std::vector<std::string>{"authority.make ", "certificate.issue the aggregator"});
  CHECK(whats({}).empty());
  CHECK(whats({{"mon"}, "", ""}) == std::vector<std::string>{"certificate.issue the aggregator"});
  CHECK(whats({{}, "ada", dir.file("out")}) == std::vector<std::string>{"certificate.issue ada"});
  const auto done = init(dir.file("data"), {{}, "ada", dir.file("out")}, {}, kInitMoment);
  REQUIRE(done);
  CHECK(done->made.at(0).text.find("PRIVATE") == std::string::npos);
  const auto info = tls::read_certificate(config::read_file(dir.file("out/ada.pem")).value()).value();
  CHECK(done->made.at(0).text.find(info.serial) != std::string::npos);
}

TEST_CASE("init makes somebody's first certificate, with a key that is theirs alone") {
  const test::TempDir dir;
  REQUIRE(init(dir.file("data"), {{}, "ada", dir.file("out")}, {}, kInitMoment));
  CHECK(mode_at(dir.file("out/ada.key")) == 0600);
  CHECK(mode_at(dir.file("out/ada.pem")) == 0644);
  const std::string pem = config::read_file(dir.file("out/ada.pem")).value();
  CHECK(tls::check_pair(pem, config::read_file(dir.file("out/ada.key")).value()));
  CHECK(tls::check_signed_by(pem, config::read_file(dir.file("out/ca.pem")).value()));
  auto authority = Authority::open({dir.file("data/identity"), {}, [] { return kInitMoment; }});
  REQUIRE(authority);
  const auto bearer = (*authority)->admit(pem);
  REQUIRE(bearer);
  CHECK(bearer->kind == Kind::person);
  CHECK(bearer->name == "ada");
}

TEST_CASE("init refuses what cannot be meant") {
  const test::TempDir dir;
  CHECK(init(dir.file("data"), {{}, "ada", ""}, {}, kInitMoment).error().code == Errc::invalid_argument);
  CHECK(init(dir.file("data"), {{}, "a/b", dir.file("out")}, {}, kInitMoment).error().code ==
        Errc::invalid_argument);
  CHECK(init(dir.file("data"), {{"not a host"}, "", ""}, {}, kInitMoment).error().code ==
        Errc::invalid_argument);
}

TEST_CASE("others are told the name that was given last, and else this machine's") {
  const std::vector<std::string> own{"localhost", "127.0.0.1", "::1", "box", "10.0.0.5"};
  std::vector<std::string> certified = own;
  CHECK(host_to_tell(certified, own, "box") == "box");
  certified.emplace_back("mon");
  certified.emplace_back("mon.example.org");
  CHECK(host_to_tell(certified, own, "box") == "mon.example.org");
  // On another machine what was the first one's own counts less than what was given.
  CHECK(host_to_tell(certified, {"localhost", "127.0.0.1", "::1", "box-2"}, "box-2") == "mon.example.org");
}

TEST_CASE("a host reaches itself by more than one name") {
  const auto hosts = own_hosts();
  for (const std::string host : {"localhost", "127.0.0.1", "::1"})
    CHECK(std::count(hosts.begin(), hosts.end(), host) == 1);
}

}  // namespace vigil::aggregator::identity
