#include "agent/collectors/os_release.h"
#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

#include <sys/utsname.h>

namespace vigil::agent {

using namespace vigil::test;

TEST_CASE("uname tells the kernel we run on") {
  struct utsname names {};
  REQUIRE(::uname(&names) == 0);
  const std::string text = collect_text("uname", {});
  CHECK_THAT(text, Catch::StartsWith("node_uname_info{domainname="));
  CHECK_THAT(text, Catch::Contains(fmt::format("release=\"{}\"", names.release)) &&
                       Catch::Contains("sysname=\"Linux\""));
}

TEST_CASE("os-release values lose their quotes as in a shell") {
  const OsRelease os = parse_os_release(
      "# comment\nNAME=\"Debian GNU/Linux\"\nID=debian\nEMPTY=\nVERSION='12 "
      "(\"bookworm\")'\nESCAPED=\"a\\\"b\\$c\"\nno assignment\n"
      "  INDENTED=x  \nID=twice\nBYTES=\"caf\xE9\"");
  CHECK(os.get("NAME") == "Debian GNU/Linux");
  CHECK(os.get("VERSION") == "12 (\"bookworm\")");
  CHECK(os.get("ESCAPED") == "a\"b$c");
  CHECK(os.get("INDENTED") == "x");
  CHECK(os.get("ID") == "twice");
  CHECK(os.get("EMPTY").empty());
  CHECK(os.get("ABSENT").empty());
  CHECK(os.get("BYTES") == "caf?");
}

TEST_CASE("the distribution and its version are told") {
  TempDir host;
  host.write("usr/lib/os-release",
             "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04.3\"\nPRETTY_NAME=\"Ubuntu "
             "22.04.3 LTS\"\n");
  CHECK(collect_text("os", rooted(host.path())) ==
        "node_os_info{id=\"ubuntu\", id_like=\"debian\", name=\"Ubuntu\", pretty_name=\"Ubuntu 22.04.3 "
        "LTS\", version_id=\"22.04.3\"} 1\n"
        "node_os_version{id=\"ubuntu\", id_like=\"debian\", name=\"Ubuntu\"} 22.04\n");
  host.write("etc/os-release",
             "ID=arch\n");  // /etc goes before /usr/lib; a rolling distribution has no version
  CHECK(collect_text("os", rooted(host.path())) == "node_os_info{id=\"arch\"} 1\n");
}

TEST_CASE("a host without os-release or DMI just does not have them") {
  TempDir host;
  for (const std::string_view collector : {"os", "dmi"}) {
    CHECK(collect_text(collector, rooted(host.path())) == "# error unsupported\n");
  }
}

TEST_CASE("DMI strings of the mixed host") {
  check_golden("mixed", "dmi");
}

TEST_CASE("a DMI string nobody may read costs only its label") {
  TempDir host;
  host.write("sys/class/dmi/id/sys_vendor", "QEMU\n");
  host.write("sys/class/dmi/id/product_name", "Standard PC (i440FX + PIIX, 1996)\n");
  std::filesystem::create_directories(host.path() / "sys/class/dmi/id/product_serial");  // a read of it fails
  CHECK(collect_text("dmi", rooted(host.path())) ==
        "node_dmi_info{product_name=\"Standard PC (i440FX + PIIX, 1996)\", system_vendor=\"QEMU\"} 1\n");
}

TEST_CASE("a waiting restart is seen in the host's own /run") {
  TempDir host;
  CHECK(collect_text("reboot", rooted(host.path())) == "node_reboot_required 0\n");
  host.write("run/reboot-required", "*** System restart required ***\n");
  CHECK(collect_text("reboot", rooted(host.path())) == "node_reboot_required 1\n");
}

TEST_CASE("identity files cut anywhere give a result") {
  TempDir host;
  const std::string whole = "NAME=\"Debian \\\"GNU\\\"\"\nVERSION_ID='12.5'\n\\=\\\n=x\n";
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    host.write("etc/os-release", std::string_view(whole).substr(0, length));
    CHECK_THAT(collect_text("os", rooted(host.path())), Catch::StartsWith("node_os_info"));
  }
  check_every_prefix("mixed", "dmi", "sys/class/dmi/id/product_uuid", Cut::may_cut_labels);
}

}  // namespace vigil::agent
