// What the agent may ask a second, smaller program that is allowed more. The agent's unit takes from it
// whatever its metrics do not need; two of them need what most of its attackers would like: CAP_SYS_PTRACE
// (I/O of other users' processes) and the system calls that set the clock. vigil-kernel-reader has these, and
// neither the network nor a file to write to, and answers two questions:
//
//   kind 1   how adjtimex(2) describes the clock; nothing is changed
//   kind 2   PROCFS/[pid]/io as it is, at most kMostText bytes
//
// A SOCK_SEQPACKET socket of this host: one packet a question, one an answer, in the host's own byte order,
// for both come with one package.
#pragma once

#include "common/error.h"

#include <sys/timex.h>

#include <cstdint>

namespace vigil::agent::kernel {

/// Where systemd's socket unit listens.
inline constexpr const char* kSocketPath = "/run/vigil-kernel-reader.sock";
inline constexpr std::size_t kMostText = 1024;

enum class Kind : std::uint32_t { clock = 1, process_io = 2 };

struct Question {
  Kind kind{};
  std::int32_t pid = 0;  // of Kind::process_io
};

struct Answer {
  std::int32_t error = 0;   // an errno; 0: what follows is right
  std::int32_t state = 0;   // of Kind::clock: what adjtimex() returned, TIME_OK to TIME_ERROR
  timex clock{};            // of Kind::clock
  std::uint32_t bytes = 0;  // of Kind::process_io: how much of `text`
  char text[kMostText]{};
};

/// Asks the kernel. A question that makes no sense is answered with EINVAL.
Answer answer(const Question& question, const char* procfs);

}  // namespace vigil::agent::kernel
