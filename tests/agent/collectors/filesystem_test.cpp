#include "agent/collectors/filesystem.h"

#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

namespace vigil::agent {
namespace {

using namespace vigil::test;

int always_answers(const std::string& path, struct statvfs& out) {
  out.f_frsize = 1024;
  out.f_blocks = path.size();
  return 0;
}

std::string text_of(const CollectorOptions& options) {
  const auto collector = make_filesystem_with(options, always_answers);
  Sheet sheet;
  const auto result = tick(*collector, sheet);
  return (result ? "" : "# error " + result.error().message + "\n") + to_text(sheet);
}

}  // namespace

TEST_CASE("mountinfo gives device, mount point and type, with optional fields and escapes") {
  const auto mounts = parse_mountinfo(
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
      "37 35 98:1 / /a\\040b\\134c ro,noatime - ext4 /dev/disk\\040one rw\n"
      "38 35 98:2 / /sb rw shared:1 master:2 - ext4 /dev/sdb ro,relatime\n");
  REQUIRE(mounts.size() == 3);
  CHECK(mounts[0].device == "/dev/root");
  CHECK(mounts[0].mountpoint == "/mnt2");
  CHECK(mounts[0].fstype == "ext3");
  CHECK_FALSE(mounts[0].read_only);
  CHECK(mounts[1].mountpoint == "/a b\\c");
  CHECK(mounts[1].device == "/dev/disk one");
  CHECK(mounts[1].read_only);
  CHECK(mounts[2].read_only);
}

TEST_CASE("of two mounts on one point the last one counts, it hides the other") {
  const auto mounts = parse_mountinfo(
      "1 1 0:5 / / rw - rootfs rootfs rw\n"
      "2 1 0:6 / /data rw - ext4 /dev/sda rw\n"
      "3 1 0:7 / / rw - ext4 /dev/vda rw\n");
  REQUIRE(mounts.size() == 2);
  CHECK(mounts[0].device == "/dev/vda");
  CHECK(mounts[1].device == "/dev/sda");
}

TEST_CASE("mounts without space of their own are left out as node_exporter leaves them out") {
  TempDir host;
  host.write("proc/1/mountinfo",
             "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
             "2 1 0:4 / /proc rw - proc proc rw\n"
             "3 1 0:5 / /dev/shm rw - tmpfs tmpfs rw\n"
             "4 1 0:6 / /run rw - tmpfs tmpfs rw\n"
             "5 1 0:7 / /snap/core rw - squashfs /dev/loop0 ro\n"
             "6 1 0:8 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw\n"
             "7 1 0:9 / /sysdata rw - xfs /dev/sdb rw\n");
  const std::string text = text_of(rooted(host.path()));
  const auto shown = [&](std::string_view mountpoint) {
    return text.find(fmt::format("mountpoint=\"{}\"", mountpoint)) != std::string::npos;
  };
  CHECK(shown("/"));
  CHECK(shown("/run"));
  CHECK(shown("/sysdata"));
  CHECK_FALSE(shown("/proc"));
  CHECK_FALSE(shown("/dev/shm"));
  CHECK_FALSE(shown("/snap/core"));
  CHECK_FALSE(shown("/var/lib/docker/overlay2/x/merged"));
}

TEST_CASE("without process 1 our own mounts are taken, as the host sees them") {
  TempDir host;
  auto options = rooted(host.path());
  options.roots.rootfs = "/host/";
  host.write("proc/self/mountinfo",
             "1 0 8:1 / / rw - overlay overlay rw\n"
             "2 1 8:2 / /host rw - ext4 /dev/sda rw\n"
             "3 1 8:3 / /host/home rw - ext4 /dev/sdb rw\n"
             "4 1 8:4 / /hostile rw - ext4 /dev/sdc rw\n");
  const std::string text = text_of(options);
  CHECK_THAT(
      text,
      Catch::Contains(
          "size_bytes{device=\"/dev/sda\", fstype=\"ext4\", mountpoint=\"/\"} 6144\n"));  // asked as "/host/"
  CHECK_THAT(text, Catch::Contains(
                       "size_bytes{device=\"/dev/sdb\", fstype=\"ext4\", mountpoint=\"/home\"} 10240\n"));
  CHECK_THAT(text, !Catch::Contains("hostile"));
}

TEST_CASE("network and FUSE file systems are known for their hanging") {
  for (const std::string_view type :
       {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse", "ceph", "9p", "glusterfs"})
    CHECK(may_hang(type));
  for (const std::string_view type : {"ext4", "xfs", "btrfs", "zfs", "tmpfs", "vfat", "fusectl"})
    CHECK_FALSE(may_hang(type));
}

TEST_CASE("a mountinfo cut anywhere gives mounts or none") {
  const std::string whole =
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
      "37 35 98:1 / /a\\040b ro,noatime - fuse.sshfs me@host:/ rw\n";
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const auto mounts = parse_mountinfo(std::string_view(whole).substr(0, length));
    CHECK(mounts.size() <= 2);
    for (const Mount& mount : mounts) CHECK(mount.mountpoint.starts_with('/'));
  }
}

TEST_CASE("a mountinfo that does not end is cut at a line and costs little") {
  std::string text;
  for (int i = 0; i < 200'000; ++i)
    text += fmt::format("{} 1 0:{} / /mnt/{} rw - tmpfs tmpfs rw\n", i, i, i % 1000);
  CHECK(parse_mountinfo(text).size() == 1000);
}

TEST_CASE("no list of mounts at all is an error that names the file") {
  TempDir host;
  CHECK_THAT(text_of(rooted(host.path())), Catch::Contains("mountinfo"));
}

}  // namespace vigil::agent
