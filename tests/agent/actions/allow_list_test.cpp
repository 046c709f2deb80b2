#include "agent/actions/allow_list.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

using namespace vigil;
using namespace vigil::agent;

namespace {

std::string write(const test::TempDir& dir, const std::string& text, mode_t mode = 0644) {
  const std::string path = dir.file("actions.yml");
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
  ::chmod(dir.file("").c_str(), 0755);
  return path;
}

constexpr const char* kList =
    "actions:\n  restart: {command: [/bin/sh, -c, 'exit 0'], timeout: 5s}\n  look: {command: [/bin/true]}\n";

}  // namespace

TEST_CASE("the list names programs with all their arguments") {
  const test::TempDir dir;
  const auto list = read_allow_list(write(dir, kList), ::getuid());
  REQUIRE(list);
  REQUIRE(list->actions.size() == 2);
  CHECK(list->actions.at("restart").command == std::vector<std::string>{"/bin/sh", "-c", "exit 0"});
  CHECK(list->actions.at("restart").timeout == std::chrono::seconds(5));
  CHECK(list->actions.at("look").timeout == std::chrono::seconds(30));
}

TEST_CASE("a list that others may change is none") {
  const test::TempDir dir;
  const std::string path = write(dir, kList, 0664);
  CHECK(read_allow_list(path, ::getuid()).error().message ==
        path + " may be changed by others than root: chmod go-w " + path);
  write(dir, kList, 0646);
  CHECK_FALSE(read_allow_list(path, ::getuid()));
  write(dir, kList);
  CHECK(read_allow_list(path, ::getuid()));
  ::chmod(dir.file("").c_str(), 0777);
  CHECK(read_allow_list(path, ::getuid()).error().message.find("may be changed by others") !=
        std::string::npos);
  ::chmod(dir.file("").c_str(), 0755);
  CHECK(read_allow_list(path, ::getuid() + 1).error().message.find("must belong to root") !=
        std::string::npos);
  CHECK(read_allow_list(dir.file("none.yml"), ::getuid()).error().code == Errc::not_found);
}

TEST_CASE("what is wrong with the list is named at its place") {
  const test::TempDir dir;
  const auto wrong = [&dir](const std::string& text) {
    const auto list = read_allow_list(write(dir, text), ::getuid());
    return list ? std::string("fine") : list.error().message;
  };
  CHECK(wrong("actions: {a: {command: [sh]}}").find("actions.a.command: must be a list of the program") !=
        std::string::npos);
  CHECK(wrong("actions: {a: {}}").find("missing key command") != std::string::npos);
  CHECK(wrong("actions: {a: {command: [/bin/true], shell: true}}").find("shell: unknown key") !=
        std::string::npos);
  CHECK(wrong("actions: {a: {command: [/bin/true], timeout: 0s}}").find("must be more than 0") !=
        std::string::npos);
}

TEST_CASE(
    "a program that is not there, or that others may change, is not run, and the others of the list are") {
  const test::TempDir dir;
  const std::string script = dir.file("script");
  std::ofstream(script) << "#!/bin/sh\n";
  ::chmod(script.c_str(), 0775);
  const auto list = read_allow_list(
      write(dir, "actions: {a: {command: [" + script + "]}, b: {command: [/bin/true]}, c: {command: [/no]}}"),
      ::getuid());
  REQUIRE(list);
  CHECK(fault_of(list->actions.at("a"), ::getuid()) ==
        script + " may be changed by others than root: chmod go-w " + script);
  CHECK(fault_of(list->actions.at("b"), ::getuid()).empty());
  CHECK(fault_of(list->actions.at("c"), ::getuid()) == "/no cannot be found");
}

TEST_CASE("what is no file is no list") {
  const test::TempDir dir;
  const std::string path = write(dir, "");
  ::unlink(path.c_str());
  REQUIRE(::mkfifo(path.c_str(), 0644) == 0);
  CHECK(read_allow_list(path, ::getuid()).error().message == path + " is no file");
}
