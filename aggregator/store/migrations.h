// The numbered steps that bring a file to its newest format, one transaction each (user_version), and the
// marks that tell our files from others' (application_id).
#pragma once

#include "aggregator/store/sqlite.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator {

struct FileFormat {
  std::string_view what;  // for people: "history"
  std::int64_t application_id = 0;
  std::vector<std::string> steps;  // SQL; step i leads from user_version i to i + 1
  std::string fresh;               // what a file that is empty gets instead of all steps
};

/// history.db, "VGLH"; a partition, "VGLP"; a journal, "VGLJ".
const FileFormat& index_format();
const FileFormat& partition_format();
const FileFormat& journal_format();

/// Errc::unsupported: the file is newer than this program, or not one of ours.
Result<void> migrate(Database& database, const FileFormat& format, const std::string& path);
/// Its errors without its steps.
Result<void> check_format(Database& database, const FileFormat& format, const std::string& path);

}  // namespace vigil::aggregator
