#include "agent/delivery/identity.h"

#include "common/wire/names.h"
#include "tests/support/catch.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace vigil::agent {
namespace {

/// A folder with a machine-id file of its own.
class Etc {
 public:
  explicit Etc(const std::string& content) {
    std::string pattern = (std::filesystem::temp_directory_path() / "vigil-etc-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
    std::ofstream(path_ / "machine-id") << content;
  }
  ~Etc() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("the machine's identity is 16 bytes that do not show its id") {
  const Etc etc("0123456789abcdef0123456789abcdef\n");
  const auto id = machine_identity(etc.path());
  CAPTURE(id);
  REQUIRE(id);
  CHECK(id->size() == 16);
  CHECK(*id == machine_identity(etc.path()).value());
  CHECK(*id != std::string("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef", 16));
  const Etc other("0123456789abcdef0123456789abcdee\n");
  CHECK(*id != machine_identity(other.path()).value());
}

TEST_CASE("an image before its first boot has no machine id") {
  for (const char* content : {"", "uninitialized\n", "0123456789abcdef0123456789abcdeg\n", "0123\n"}) {
    const Etc etc(content);
    CHECK_FALSE(machine_identity(etc.path()));
  }
  CHECK_FALSE(machine_identity("/nowhere"));
  CHECK(identity_from_name("web-1").size() == 16);
  CHECK(identity_from_name("web-1") != identity_from_name("web-2"));
}

TEST_CASE("stream ids are random, host names can be sent") {
  CHECK(random_stream_id().size() == 16);
  CHECK(random_stream_id() != random_stream_id());
  CHECK(wire::valid_host_name(host_name()));
}

}  // namespace vigil::agent
