#include "common/grpc/runtime.h"

#include "common/clock.h"
#include "common/log/allowance.h"
#include "common/log/log.h"

#include <absl/synchronization/mutex.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>

namespace vigil {
namespace {

log::Level level_of(gpr_log_severity severity) {
  switch (severity) {
    case GPR_LOG_SEVERITY_DEBUG:
      return log::Level::debug;
    case GPR_LOG_SEVERITY_INFO:
      return log::Level::info;
    case GPR_LOG_SEVERITY_ERROR:
      break;
  }
  return log::Level::warn;  // what matters of it comes as a status too, and is logged where it is handled
}

std::atomic<std::uint64_t> accept_failures = 0;

// A stranger can make gRPC write a line for each of its connections.
log::Allowance lines_of_grpc(30);

void take_line(gpr_log_func_args* line) {
  if (std::string_view(line->message).find("Failed accept") != std::string_view::npos) ++accept_failures;
  const log::Level level = level_of(line->severity);
  if (level == log::Level::debug) return log::write(level, "grpc", line->message, {});
  const auto left_out = lines_of_grpc.take(wall_ms());
  if (!left_out) return;
  if (*left_out == 0) return log::write(level, "grpc", line->message, {});
  log::write(level, "grpc", line->message, {{"left_out_before", *left_out}});
}

/// protobuf has its own way to standard error. What it says of bytes from outside is no error of ours:
/// whoever parsed them says what happened.
void take_protobuf_line(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/,
                        const std::string& message) {
  log::write(level == google::protobuf::LOGLEVEL_FATAL ? log::Level::error : log::Level::debug, "protobuf",
             message, {});
}

}  // namespace

std::uint64_t grpc_accept_failures() {
  return accept_failures;
}

void prepare_grpc() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  gpr_set_log_function(take_line);
  google::protobuf::SetLogHandler(take_protobuf_line);
  // Channels of the daemons always have a thread that polls them; a timer to look after them wakes two
  // threads a second.
  ::setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", 0);
  // With this experiment, on in Debian's build, a connection waits for its next bytes with 8 KiB in hand,
  // whatever GRPC_ARG_TCP_READ_CHUNK_SIZE says.
  ::setenv("GRPC_EXPERIMENTS", "-tcp_read_chunks", 0);
  // TLS 1.3 or nothing. gRPC's C++ interface cannot say so; but of TLS 1.2 it offers and takes only the
  // ciphers of this list, and this one can never be agreed on: nobody has a pre-shared key for it.
  ::setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES256-GCM-SHA384", 1);
}

}  // namespace vigil
