#include "agent/enrolment/identity_file.h"

#include "tests/agent/enrolment/enrolled_host.h"

#include <sys/stat.h>

#include <fstream>

namespace vigil::agent {

using namespace testing;

TEST_CASE("an identity comes back from its file as it was, and the file is the agent's alone") {
  const EnrolledHost host;
  CHECK(has_identity(host.folder));
  CHECK_FALSE(has_identity(host.dir.file("elsewhere")));
  CHECK_FALSE(has_identity(""));
  const OwnIdentity identity = host.present();
  CHECK(identity.name == "web-1");
  CHECK(identity.aggregator == "mon.example.org:8460");
  CHECK(identity.not_after_ms == kStart + 90 * kDay);
  CHECK(host.aggregator->admit(identity.tls.cert));
  CHECK(tls::check_pair(identity.tls.cert, identity.tls.key));
  CHECK(identity.tls.ca == host.shown()[1]);
  struct stat info {};
  REQUIRE(::stat(identity_path(host.folder).c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
}

TEST_CASE("every beginning of an identity file is refused, and the file is named") {
  const EnrolledHost host;
  const std::string path = identity_path(host.folder);
  const std::string whole = config::read_private_key(path).value();
  for (std::size_t size = 0; size + 1 < whole.size(); size += 13) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << whole.substr(0, size);
    const auto refused = load_identity(host.folder);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find(path) != std::string::npos);
  }
}

TEST_CASE("parts that do not belong together are no identity, nor is a key that others may read") {
  const EnrolledHost host;
  const EnrolledHost other;
  const TlsMaterial one = host.present().tls;
  const TlsMaterial two = other.present().tls;
  CHECK(make_identity("a:1", {one.ca, one.cert, two.key}).error().code == Errc::invalid_argument);
  CHECK(make_identity("a:1", {two.ca, one.cert, one.key}).error().code == Errc::permission);
  CHECK_FALSE(make_identity("a:1", {one.ca, one.ca, one.key}));
  ::chmod(identity_path(host.folder).c_str(), 0644);
  CHECK(load_identity(host.folder).error().code == Errc::permission);
}

}  // namespace vigil::agent
