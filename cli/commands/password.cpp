#include "cli/commands/password.h"

#include "common/config/files.h"

#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

namespace vigil::cli {
namespace {

/// What is typed is not shown as long as this lives.
class Hidden {
 public:
  Hidden() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_set_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
  }
  ~Hidden() {
    if (is_set_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;

 private:
  termios before_{};
  bool is_set_ = false;
};

Result<std::string> read_line() {
  std::string line;
  if (!std::getline(std::cin, line)) return fail(Errc::invalid_argument, "no password came");
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty()) return fail(Errc::invalid_argument, "the password is empty");
  return line;
}

Result<std::string> type_password(const std::string& question) {
  fmt::print(stderr, "{}: ", question);
  std::fflush(stderr);
  Result<std::string> typed = fail(Errc::internal, "");
  {
    const Hidden hidden;
    typed = read_line();
  }
  fmt::print(stderr, "\n");
  return typed;
}

}  // namespace

Result<std::string> ask_password(const std::string& name, const std::string& file) {
  if (file == "-") return read_line();
  if (!file.empty()) {
    auto password = config::read_secret(file);
    if (!password) return fail(Errc::invalid_argument, "--password-file: {}", password.error().message);
    return password;
  }
  if (::isatty(STDIN_FILENO) == 0)
    return fail(Errc::invalid_argument,
                "there is no terminal to type the password at: --password-file FILE, - for standard input");
  auto first = type_password("Password of " + name);
  if (!first) return first;
  const auto second = type_password("The same again");
  if (!second) return second.error();
  if (*first != *second) return fail(Errc::invalid_argument, "the two passwords differ");
  return first;
}

}  // namespace vigil::cli
