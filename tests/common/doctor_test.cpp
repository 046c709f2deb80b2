// What the doctor thinks of facts, fixed here, and what it sees of this machine.
#include "common/doctor/checks.h"
#include "common/doctor/finding.h"
#include "common/doctor/peer.h"
#include "common/doctor/probe.h"
#include "common/tls/signing.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

namespace vigil::doctor {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kDay = 86'400'000;
constexpr std::int64_t kNow = 20'000 * kDay;

FolderFacts sound_folder() {
  FolderFacts facts;
  facts.label = "data folder";
  facts.path = "/var/lib/vigil";
  facts.is_there = true;
  facts.owner = "vigil";
  facts.mode = 0700;
  facts.file_system = "ext4";
  facts.free_bytes = 50ULL << 30;
  facts.total_bytes = 100ULL << 30;
  facts.free_inodes = 1000;
  facts.total_inodes = 2000;
  facts.sync_took = milliseconds(3);
  return facts;
}

std::size_t count(const Findings& findings, Verdict verdict) {
  return static_cast<std::size_t>(std::count_if(
      findings.begin(), findings.end(), [&](const Finding& each) { return each.verdict == verdict; }));
}

/// The one finding that is not in order.
Finding complaint(const Findings& findings) {
  Finding found;
  for (const Finding& finding : findings) {
    if (finding.verdict == Verdict::ok) continue;
    CHECK(found.seen.empty());
    CHECK_FALSE(finding.fix.empty());
    found = finding;
  }
  REQUIRE_FALSE(found.seen.empty());
  return found;
}

/// A port of loopback that says `answer` to whoever connects.
class Talker {
 public:
  explicit Talker(std::string answer) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd_, 1) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer)] {
      const int peer = ::accept(fd_, nullptr, nullptr);
      if (peer < 0) return;
      char heard[4096];
      (void)!::read(peer, heard, sizeof heard);
      (void)!::write(peer, answer.data(), answer.size());
      ::close(peer);
    });
  }
  ~Talker() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  Address address() const { return {"127.0.0.1", port_}; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

PeerFacts::Reached reached(std::string answer, bool is_tls = false) {
  const Talker talker(std::move(answer));
  PeerOptions options;
  options.is_tls = is_tls;
  options.address = talker.address();
  return look_at_peer(options).reached;
}

}  // namespace

TEST_CASE("a sound folder is in order, in every respect") {
  const Findings findings = check_folder(sound_folder(), Holds::databases, "vigil");
  CHECK(findings.size() == 4);
  CHECK(count(findings, Verdict::ok) == 4);
}

TEST_CASE("what is wrong with a folder is said, with what would mend it") {
  struct Case {
    const char* name;
    void (*spoil)(FolderFacts&);
    Verdict verdict;
    const char* seen;
    const char* fix;
  };
  const Case cases[] = {
      {"nfs", [](FolderFacts& f) { f.file_system = "nfs"; }, Verdict::problem, "nfs, where locks",
       "data_dir"},
      {"tmpfs", [](FolderFacts& f) { f.file_system = "tmpfs"; }, Verdict::warning, "at the next boot",
       "disk"},
      {"overlay", [](FolderFacts& f) { f.file_system = "overlay"; }, Verdict::warning, "with the container",
       "volume"},
      {"nearly full", [](FolderFacts& f) { f.free_bytes = 3ULL << 30; }, Verdict::warning, "3 %",
       "make room"},
      {"full", [](FolderFacts& f) { f.free_bytes = 1 << 20; }, Verdict::problem, "MiB free", "make room"},
      {"inodes", [](FolderFacts& f) { f.free_inodes = 1; }, Verdict::problem, "1 free inodes", "small files"},
      {"fsync fails", [](FolderFacts& f) { f.sync_error = "Input/output error"; }, Verdict::problem,
       "fsync fails: Input/output", "smartctl"},
      {"fsync is slow", [](FolderFacts& f) { f.sync_took = milliseconds(900); }, Verdict::warning, "900ms",
       "disk"},
      {"not ours", [](FolderFacts& f) { f.owner = "root"; }, Verdict::problem,
       "belongs to root, and the service", "chown -R vigil /var/lib/vigil"},
      {"open", [](FolderFacts& f) { f.mode = 0755; }, Verdict::warning, "mode 755",
       "chmod 700 /var/lib/vigil"},
      {"cannot be made", [](FolderFacts& f) { f.is_there = f.is_writable = false; }, Verdict::problem,
       "is not there", "install -d -m 700 -o vigil /var/lib/vigil"},
      {"no folder", [](FolderFacts& f) { f.trouble = "/var/lib/vigil is no folder"; }, Verdict::problem,
       "no folder", "another data folder"}};
  for (const Case& each : cases) {
    INFO(each.name);
    FolderFacts facts = sound_folder();
    each.spoil(facts);
    const Finding finding = complaint(check_folder(facts, Holds::databases, "vigil"));
    CHECK(finding.verdict == each.verdict);
    CHECK_THAT(finding.seen, Catch::Contains(each.seen));
    CHECK_THAT(finding.fix, Catch::Contains(each.fix));
  }
}

TEST_CASE("a spool on a network is a warning: it holds segments, no databases") {
  FolderFacts facts = sound_folder();
  facts.file_system = "cifs";
  CHECK(complaint(check_folder(facts, Holds::spool, "vigil")).verdict == Verdict::warning);
}

TEST_CASE("each error of a configuration is a problem, each doubt a warning, and neither is in order") {
  CHECK(check_configuration({"/etc/vigil/agent.yml", "", {}}).at(0).verdict == Verdict::ok);
  CHECK(check_configuration({"", "", {}}).at(0).about == "no file");
  const Findings wrong = check_configuration({"a.yml", "a.yml:1:1: x\na.yml:2:1: y", {"odd"}});
  REQUIRE(wrong.size() == 3);
  CHECK(wrong[0].seen == "a.yml:1:1: x");
  CHECK(wrong[1].seen == "a.yml:2:1: y");
  CHECK(wrong[1].verdict == Verdict::problem);
  CHECK(wrong[2].verdict == Verdict::warning);
  for (const Finding& finding : wrong) CHECK_FALSE(finding.fix.empty());
}

TEST_CASE("certificates are judged by their time") {
  const auto verdict = [](std::int64_t from, std::int64_t to) {
    return check_certificate({"tls.cert a.pem", "", "web-1", from, to}, kNow).verdict;
  };
  CHECK(verdict(kNow - kDay, kNow + 20 * kDay) == Verdict::ok);
  CHECK(verdict(kNow - kDay, kNow + 13 * kDay) == Verdict::warning);
  CHECK(verdict(kNow - kDay, kNow - 1) == Verdict::problem);
  CHECK(verdict(kNow + 1, kNow + 20 * kDay) == Verdict::problem);
  CHECK(check_certificate({"tls.key a.key", "everybody may read this", "", 0, 0}, kNow).seen ==
        "everybody may read this");
}

TEST_CASE("a key must be that of the certificate that stands before it") {
  const std::string key_text = tls::make_key().value();
  const test::TempFile key("a.key", key_text);
  const test::TempFile other("b.key", tls::make_key().value());
  const test::TempFile cert("a.pem",
                            tls::make_authority(key_text, "a", {kNow - kDay, kNow + kDay * 90}).value());
  const auto looked_at = [&](const test::TempFile& own) {
    REQUIRE(::chmod(own.path().c_str(), 0600) == 0);
    return look_at_tls_files({{"tls.ca", "", Key::no},
                              {"tls.cert", cert.path(), Key::no},
                              {"tls.key", own.path(), Key::yes},
                              {"tls.client_ca", cert.path(), Key::no}},
                             kNow);
  };
  CHECK(count(looked_at(key), Verdict::ok) == 3);
  const Finding wrong = complaint(looked_at(other));
  CHECK(wrong.about == "tls.key " + other.path());
  CHECK(wrong.seen == fmt::format("{} and {}: the key is not the certificate's", cert.path(), other.path()));
}

TEST_CASE("clocks: not synchronised, and off against the aggregator by more than the way takes") {
  CHECK(check_clock({"", true, std::chrono::microseconds(5)}).verdict == Verdict::ok);
  CHECK(check_clock({"", false, {}}).verdict == Verdict::warning);
  CHECK(check_clock({"Operation not permitted", true, {}}).verdict == Verdict::warning);
  const auto offset = [](int ms, int round_trip) {
    return check_offset(milliseconds(ms), milliseconds(round_trip)).verdict;
  };
  CHECK(offset(-999, 0) == Verdict::ok);
  CHECK(offset(1400, 1000) == Verdict::ok);
  CHECK(offset(-1600, 1000) == Verdict::warning);
  CHECK(offset(301'000, 0) == Verdict::problem);
}

TEST_CASE("ports, limits, units and versions") {
  CHECK(check_port({"p", true, true, ""}).verdict == Verdict::ok);
  CHECK(check_port({"p", true, false, ""}).verdict == Verdict::problem);
  CHECK(check_port({"p", false, false, "Permission denied"}).verdict == Verdict::problem);
  CHECK(check_port({"p", false, false, ""}).verdict == Verdict::ok);

  CHECK(check_open_files({2000, "the service's"}, 1500, 128).verdict == Verdict::ok);
  CHECK(check_open_files({1000, "the service's"}, 1500, 128).verdict == Verdict::warning);
  CHECK(check_open_files({100, "the service's"}, 1500, 128).verdict == Verdict::problem);

  UnitFacts unit =
      parse_unit("vigil-agent.service",
                 "LoadState=loaded\nActiveState=active\nResult=success\nUnitFileState=enabled\n"
                 "User=vigil\nStateDirectory=vigil-agent other\nNRestarts=0\nLimitNOFILE=524288\n");
  CHECK(unit.user == "vigil");
  CHECK(unit.state_directory == "vigil-agent");
  CHECK(unit.open_files == 524288);
  CHECK(check_unit(unit).verdict == Verdict::ok);
  unit.restarts = 2;
  CHECK_THAT(check_unit(unit).seen, Catch::Contains("2 restarts"));
  unit.unit_file_state = "disabled";
  CHECK_THAT(check_unit(unit).seen, Catch::Contains("will not after a boot"));
  unit.active_state = "inactive";
  CHECK(check_unit(unit).verdict == Verdict::warning);
  unit.active_state = "failed";
  unit.result = "exit-code";
  CHECK(check_unit(unit).verdict == Verdict::problem);
  CHECK_THAT(check_unit(unit).fix, Catch::Contains("journalctl -u vigil-agent.service"));
  CHECK(check_unit(parse_unit("x.service", "LoadState=not-found\n")).verdict == Verdict::warning);
  CHECK(check_unit({}).verdict == Verdict::ok);  // no systemd here

  CHECK(check_version("x", "1.2.3", "1.2.3").verdict == Verdict::ok);
  CHECK(check_version("x", "1.2.3", "1.2.9").verdict == Verdict::ok);
  CHECK(check_version("x", "1.2.3", "1.3.0").verdict == Verdict::warning);
}

TEST_CASE("this machine is looked at, and nothing is left behind") {
  const test::TempDir folder;
  const std::string path = folder.file("data");
  FolderFacts facts = look_at_folder("data folder", path);
  CHECK_FALSE(facts.is_there);
  CHECK(facts.total_bytes > 0);
  std::filesystem::create_directory(path);
  ::chmod(path.c_str(), 0750);
  facts = look_at_folder("data folder", path);
  CHECK(facts.is_there);
  CHECK(facts.mode == 0750);
  CHECK(facts.sync_error.empty());
  CHECK(std::filesystem::is_empty(path));
  const test::TempFile file("file", "x");
  CHECK_THAT(look_at_folder("data folder", file.path()).trouble, Catch::Contains("is no folder"));
  CHECK_FALSE(kernel_release().empty());
}

TEST_CASE("a port that somebody listens at is taken, one of no address here cannot be had") {
  const Talker talker("");
  CHECK(look_at_port("grpc_listen", talker.address()).is_taken);
  CHECK(look_at_port("grpc_listen", {"127.0.0.1", 0}).bind_error.empty());
  CHECK_THAT(look_at_port("grpc_listen", {"192.0.2.1", 8460}).bind_error, Catch::Contains("address"));
}

TEST_CASE("what is spoken at an address is told apart") {
  using Reached = PeerFacts::Reached;
  CHECK(reached(std::string("\0\0\0\4\0\0\0\0\0", 9)) == Reached::speaks_grpc);
  CHECK(reached("HTTP/1.1 400 Bad Request\r\n\r\n") == Reached::http1);
  CHECK(reached(std::string("\x15\x03\x03\x00\x02\x02\x16", 7)) == Reached::other_tls);
  CHECK(reached("") == Reached::other_tls);
  CHECK(reached("220 mail.example.org ESMTP\r\n") == Reached::strange);
  CHECK(reached("HTTP/1.1 400 Bad Request\r\n\r\n", true) == Reached::other_tls);
  CHECK(reached("", true) == Reached::no_answer);
  PeerOptions nobody;
  nobody.address = {"127.0.0.1", 1};
  const PeerFacts facts = look_at_peer(nobody);
  CHECK(facts.reached == Reached::no_answer);
  CHECK_THAT(complaint(check_peer(facts, kNow, "aggregator", "tls")).seen, Catch::Contains("refused"));
  nobody.address.host = "nowhere.invalid";
  CHECK(look_at_peer(nobody).reached == Reached::no_address);
}

TEST_CASE("findings are a table for people and a list for programs") {
  const Findings findings{ok("disk", "/var", "fine"), warning("clock", "this machine", "off", "chrony"),
                          problem("ports", "a \"b\"", "one\ntwo", "mend")};
  CHECK_FALSE(is_well(findings));
  CHECK(is_well({findings[0], findings[1]}));
  CHECK(to_table(findings) ==
        "ok       disk   /var          fine\n"
        "warning  clock  this machine  off\n"
        "                fix: chrony\n"
        "problem  ports  a \"b\"         one\n"
        "                              two\n"
        "                fix: mend\n"
        "1 problem, 1 warning, 1 in order\n");
  CHECK_THAT(
      to_json(findings),
      Catch::StartsWith(
          "[{\"verdict\":\"ok\",\"area\":\"disk\",\"about\":\"/var\",\"seen\":\"fine\",\"fix\":\"\"},") &&
          Catch::EndsWith("\"about\":\"a \\\"b\\\"\",\"seen\":\"one\\ntwo\",\"fix\":\"mend\"}]\n"));
}

}  // namespace vigil::doctor
