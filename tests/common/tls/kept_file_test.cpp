#include "common/tls/kept_file.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace vigil::tls {
namespace {

unsigned mode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

std::string text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a kept file has the mode it is for, also where another was before") {
  const test::TempDir dir;
  const std::string path = dir.file("key.pem");
  std::ofstream(path) << "old";
  ::chmod(path.c_str(), 0666);
  REQUIRE(keep_file(path, "secret", Readable::by_owner));
  CHECK(text_of_file(path) == "secret");
  CHECK(mode_of(path) == 0600);
  REQUIRE(keep_file(path, "everybody's", Readable::by_everybody));
  CHECK(text_of_file(path) == "everybody's");
  CHECK(mode_of(path) == 0644);
  CHECK_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_CASE("what a killed run left aside is not in the way, and a link there is not followed") {
  const test::TempDir dir;
  const std::string path = dir.file("key.pem");
  const std::string victim = dir.file("victim");
  std::ofstream(victim) << "untouched";
  std::filesystem::create_symlink(victim, path + ".new");
  REQUIRE(keep_file(path, "secret", Readable::by_owner));
  CHECK(text_of_file(victim) == "untouched");
  CHECK(text_of_file(path) == "secret");
}

TEST_CASE("a folder that cannot be written is named, and nothing is left there") {
  const test::TempDir dir;
  const auto refused = keep_file(dir.file("absent/key.pem"), "secret", Readable::by_owner);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::not_found);
  CHECK(refused.error().message.find(dir.file("absent/key.pem")) != std::string::npos);
}

TEST_CASE("a kept folder is closed to others, with its parents made, and closed again") {
  const test::TempDir dir;
  const std::string path = dir.file("state/identity");
  REQUIRE(keep_folder(path));
  CHECK(mode_of(path) == 0700);
  ::chmod(path.c_str(), 0755);
  REQUIRE(keep_folder(path));
  CHECK(mode_of(path) == 0700);
  std::ofstream(dir.file("file")) << "";
  CHECK_FALSE(keep_folder(dir.file("file")));
}

}  // namespace vigil::tls
