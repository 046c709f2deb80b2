// A SQLite VFS that gives pages checksums. SQLite itself has none: a flipped bit that leaves a page well
// formed is a name or a number that is wrong, and nobody notices.
//
// Of a database with kReservedBytes at the end of each page (byte 20 of its header,
// https://sqlite.org/fileformat2.html section 1.3.4), each page that is written to the file carries there
//
//   bytes 0-3  "VGP" 0x01
//   bytes 4-7  CRC-32C of the page before them and of its number (4 bytes, little-endian), little-endian
//
// and each page that is read from it is verified: one that fails is SQLITE_IOERR_DATA, Errc::corrupt here.
// Pages in a write-ahead log have checksums of SQLite's own. Databases without the reserved bytes, and all
// other files, pass through untouched. Other programs can read such a database; one that writes to it must
// use this VFS.
#pragma once

#include "common/error.h"

#include <sqlite3.h>

#include <string>

namespace vigil::aggregator {

inline constexpr int kReservedBytes = 8;

/// The name of this VFS on top of `base` ("": the default one). Any thread.
Result<std::string> with_page_checksums(const std::string& base);

/// Pages of this database have checksums from now on, free ones too (secure_delete); one that had none is
/// written anew (VACUUM), which takes as much room again. Outside a transaction. Errors as sqlite_error().
Result<void> keep_page_checksums(sqlite3* handle);
/// Whether they have.
bool has_page_checksums(sqlite3* handle);

}  // namespace vigil::aggregator
