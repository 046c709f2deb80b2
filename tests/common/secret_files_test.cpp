// What the doctors think of files that hold secrets.
#include "common/doctor/secret_files.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>
#include <unistd.h>

namespace vigil::doctor {
namespace {

SecretFile own(unsigned mode, const std::string& owner = "vigil") {
  return {"/var/lib/vigil/access.db", Keeper::service, "", owner, mode};
}

SecretFile named(unsigned mode, config::Readers readers, bool service_may_read = true,
                 const std::string& owner = "root") {
  return {"/etc/vigil/slack url", Keeper::administrator, "", owner, mode, readers, service_may_read};
}

Finding only(const SecretFile& file, const std::string& user = "vigil") {
  const Findings findings = check_secret_files({file}, user);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].fix.empty() == (findings[0].verdict == Verdict::ok));
  return findings[0];
}

}  // namespace

TEST_CASE("files of the service are its own, and nobody else reads them") {
  CHECK(only(own(0600)).seen == "1 file, closed to others");
  CHECK(only(own(0640)).verdict == Verdict::warning);
  CHECK(only(own(0644)).fix == "chmod 600 /var/lib/vigil/access.db");
  const Finding roots = only(own(0600, "root"));  // after a restore as root
  CHECK(roots.verdict == Verdict::problem);
  CHECK(roots.seen == "belongs to root, and the service runs as vigil");
  CHECK(roots.fix == "chown vigil /var/lib/vigil/access.db");
  CHECK(only(own(0600, "root"), "").verdict == Verdict::ok);  // nobody knows who it runs as
}

TEST_CASE("a file of the configuration is read by the service and by nobody else") {
  using config::Readers;
  CHECK(only(named(0640, Readers::those_meant)).verdict == Verdict::ok);
  CHECK(only(named(0600, Readers::those_meant, true, "vigil")).verdict == Verdict::ok);
  const Finding open = only(named(0644, Readers::everybody));
  CHECK(open.verdict == Verdict::problem);
  CHECK(open.seen == "everybody may read it (mode 644), so it is refused");
  CHECK_THAT(open.fix, Catch::EndsWith("'/etc/vigil/slack url' && chmod 640 '/etc/vigil/slack url'"));
  CHECK(only(named(0640, Readers::group, true, "ada")).seen ==
        "its group may read it (mode 640), so it is refused");
  const Finding closed = only(named(0600, Readers::those_meant, false));
  CHECK(closed.verdict == Verdict::problem);
  CHECK(closed.seen == "vigil may not read it: it belongs to root, mode 600");
  CHECK(only(named(0600, Readers::those_meant, true, "ada")).verdict == Verdict::warning);
}

TEST_CASE("what is sound is counted in one line, what is not has one of its own") {
  const Findings findings = check_secret_files({own(0600), own(0644), own(0600)}, "vigil");
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].verdict == Verdict::warning);
  CHECK(findings[1].seen == "2 files, closed to others");
  CHECK(check_secret_files({}, "vigil").empty());
}

TEST_CASE("files are looked at as they are") {
  const test::TempFile file("token", "s3cret\n");
  REQUIRE(::chmod(file.path().c_str(), 0644) == 0);
  const auto looked =
      look_at_secret_files({"", file.path(), "/run/credentials/vigil/none"}, Keeper::administrator, "");
  REQUIRE(looked.size() == 1);
  CHECK(looked[0].mode == 0644);
  CHECK(looked[0].readers == config::Readers::everybody);
  CHECK(looked[0].service_may_read);
  CHECK(look_at_secret_files({file.path() + ".none"}, Keeper::service, "").empty());
  const auto gone = look_at_secret_files({file.path() + ".none"}, Keeper::administrator, "");
  REQUIRE(gone.size() == 1);
  CHECK(only(gone[0]).verdict == Verdict::problem);
}

TEST_CASE("what only root may read a service of another user may not") {
  if (::geteuid() != 0) return;
  const test::TempFile file("token", "s3cret\n");
  REQUIRE(::chmod(file.path().c_str(), 0600) == 0);
  const auto may = [&file](const std::string& user) {
    return look_at_secret_files({file.path()}, Keeper::administrator, user).at(0).service_may_read;
  };
  CHECK_FALSE(may("nobody"));
  CHECK(may("root"));
  CHECK(may("no-such-user"));
  REQUIRE(::chmod(file.path().c_str(), 0604) == 0);
  CHECK(may("nobody"));
}

}  // namespace vigil::doctor
