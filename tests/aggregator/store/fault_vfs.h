// A SQLite VFS that passes everything on to the default one, but for the calls it is told to let fail.
#pragma once

#include <string>

namespace vigil::aggregator::testing {

enum class Fault {
  none,
  write_error,  // SQLITE_IOERR_WRITE
  sync_error,   // SQLITE_IOERR_FSYNC
  no_space,     // SQLITE_FULL from writes
};

/// Registers the VFS on first use; its name for HistoryOptions::vfs.
std::string fault_vfs();

/// From now on the `at`-th matching call fails (1: the next one) and, for no_space, all that follow until
/// clear_fault().
void set_fault(Fault fault, int at);
void clear_fault();
/// Whether the fault that was set came to pass.
bool fault_happened();

}  // namespace vigil::aggregator::testing
