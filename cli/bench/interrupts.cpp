#include "cli/bench/interrupts.h"

#include <unistd.h>

#include <atomic>

namespace vigil::cli {
namespace {

std::atomic<int> g_count = 0;  // lock-free, so a signal handler may change it
static_assert(std::atomic<int>::is_always_lock_free);

constexpr int kFinishing = 2;  // signals; children die with us

void on_signal(int number) {
  if (++g_count > kFinishing) ::_exit(128 + number);
}

}  // namespace

Interrupts::Interrupts() {
  g_count = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGINT, &action, &before_int_);
  ::sigaction(SIGTERM, &action, &before_term_);
}

Interrupts::~Interrupts() {
  ::sigaction(SIGINT, &before_int_, nullptr);
  ::sigaction(SIGTERM, &before_term_, nullptr);
}

int Interrupts::count() {
  return g_count;
}

}  // namespace vigil::cli
