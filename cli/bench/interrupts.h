// Ctrl-C as a wish to come to an end.
#pragma once

#include <csignal>

namespace vigil::cli {

/// While it lives SIGINT and SIGTERM are counted instead of ending the program; a third one ends it. One at a
/// time.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// Any thread: how many came since.
  static int count();

 private:
  struct sigaction before_int_ {};
  struct sigaction before_term_ {};
};

}  // namespace vigil::cli
