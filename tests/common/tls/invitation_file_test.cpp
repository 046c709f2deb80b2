#include "common/tls/invitation_file.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <fstream>

namespace vigil::tls {
namespace {

const std::string kToken(40, 'a');
const std::string kFingerprint = "sha256:" + std::string(64, 'b');

}  // namespace

TEST_CASE("an invitation comes back from its file as it was") {
  const std::string text = to_text({"mon:8460", kFingerprint, kToken}, "for node-*");
  const auto read = parse_invitation(text);
  REQUIRE(read);
  CHECK(read->aggregator == "mon:8460");
  CHECK(read->fingerprint == kFingerprint);
  CHECK(read->token == kToken);
  // As it looks after an editor of another system.
  std::string other;
  for (const char c : text) other += c == '\n' ? std::string("  \r\n") : std::string(1, c);
  CHECK(parse_invitation(other).value().token == kToken);
}

TEST_CASE("every beginning of an invitation is refused, and says nothing of the token") {
  const std::string text = to_text({"mon:8460", kFingerprint, kToken}, "for node-*");
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    const auto refused = parse_invitation(text.substr(0, size));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("aaaa") == std::string::npos);
  }
}

TEST_CASE("an invitation that others may read is refused, and the file is named") {
  const test::TempDir dir;
  const std::string path = dir.file("invitation");
  std::ofstream(path) << to_text({"mon:8460", kFingerprint, kToken}, "for node-*");
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  CHECK(read_invitation(path).error().code == Errc::permission);
  REQUIRE(::chmod(path.c_str(), 0400) == 0);
  CHECK(read_invitation(path));
  std::ofstream(dir.file("half")) << "token: " << kToken;
  REQUIRE(::chmod(dir.file("half").c_str(), 0600) == 0);
  CHECK(read_invitation(dir.file("half")).error().message.find(dir.file("half")) == 0);
}

}  // namespace vigil::tls
