// What the history says about each of its files.
#pragma once

#include "aggregator/store/catalogue.h"
#include "aggregator/store/history.h"

#include <filesystem>
#include <string>
#include <vector>

namespace vigil::aggregator {

std::string_view to_string(FileForm form);

/// As History::files().
std::vector<FileStats> list_file_stats(const Catalogue& catalogue, const std::vector<std::string>& journals,
                                       const std::filesystem::path& directory);

}  // namespace vigil::aggregator
