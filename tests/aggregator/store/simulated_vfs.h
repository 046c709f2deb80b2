// A SQLite VFS over simulated disks (simulated_disk.h): which one, the path says.
#pragma once

#include <string>

namespace vigil::aggregator::testing {

/// Registers the VFS on first use; its name for HistoryOptions::vfs. It syncs as SQLite's own for Unix does:
/// the folder of a journal or WAL with the first sync of that file after it was opened, the folder of a
/// removed file when SQLite asks for it.
std::string simulated_vfs();

}  // namespace vigil::aggregator::testing
