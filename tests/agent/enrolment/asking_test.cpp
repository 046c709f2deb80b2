#include "agent/enrolment/asking.h"

#include "agent/enrolment/identity_file.h"
#include "common/config/files.h"
#include "tests/agent/enrolment/enrolled_host.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace vigil::agent {

using namespace testing;

TEST_CASE("a question that got no answer is asked again with the same key, another one with another") {
  const test::TempDir dir;
  const std::string folder = dir.file("agent");
  const auto first = keep_asking(folder, "one");
  REQUIRE(first);
  struct stat info {};
  REQUIRE(::stat(asking_path(folder).c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  const auto again = keep_asking(folder, "one");
  REQUIRE(again);
  CHECK(again->key == first->key);
  CHECK(again->request == first->request);
  const auto other = keep_asking(folder, "other");
  REQUIRE(other);
  CHECK(other->key != first->key);
  forget_asking(folder);
  CHECK_FALSE(std::filesystem::exists(asking_path(folder)));
  CHECK(keep_asking(folder, "other")->key != other->key);
}

TEST_CASE("what is left of a question, cut or changed, is asked anew") {
  const test::TempDir dir;
  const std::string folder = dir.file("agent");
  const std::string key = keep_asking(folder, "one").value().key;
  const std::string whole = config::read_file(asking_path(folder)).value();
  for (const std::size_t kept : {std::size_t{0}, std::size_t{20}, whole.size() / 2, whole.size() - 40}) {
    std::ofstream(asking_path(folder)) << whole.substr(0, kept);
    const auto asking = keep_asking(folder, "one");
    REQUIRE(asking);
    CHECK(asking->key != key);
  }
}

TEST_CASE("a folder that cannot keep an identity is told before a token is spent") {
  const test::TempDir dir;
  std::ofstream(dir.file("file")) << "no folder";
  const auto below = keep_asking(dir.file("file/agent"), "one");
  REQUIRE_FALSE(below);
  CHECK_THAT(below.error().message, Catch::Contains("nothing was sent, and the token can still be used"));
  std::filesystem::create_directories(identity_path(dir.file("agent")));  // root may write everywhere else
  const auto in_the_way = keep_asking(dir.file("agent"), "one");
  REQUIRE_FALSE(in_the_way);
  CHECK_THAT(in_the_way.error().message, Catch::Contains("identity.pem"));
  CHECK_THAT(in_the_way.error().message, Catch::Contains("nothing was sent"));
}

TEST_CASE("a host whose answer was lost gets it by asking again, and can use it") {
  EnrolledHost host;
  const std::string folder = host.dir.file("lost");
  const std::string token = host.aggregator->invite("web-9", {}, authority::Replace::refused).value().token;
  const auto before = host.aggregator->enroll({token, keep_asking(folder, "one").value().request});
  REQUIRE(before);  // and is lost
  const auto asking = keep_asking(folder, "one");
  REQUIRE(asking);
  const auto again = host.aggregator->enroll({token, asking->request});
  REQUIRE(again);
  CHECK(again->issued.serial == before->issued.serial);
  CHECK(make_identity("mon:8460", {again->issued.authority, again->issued.certificate, asking->key}));
}

}  // namespace vigil::agent
