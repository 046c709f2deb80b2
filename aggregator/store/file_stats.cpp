#include "aggregator/store/file_stats.h"

#include "aggregator/store/files.h"

#include <array>

namespace vigil::aggregator {
namespace {

FileStats stats_of(const PartitionInfo& partition) {
  FileStats stats;
  stats.name = std::filesystem::path(partition.path).filename();
  stats.kind = to_string(partition.tier);
  stats.form = to_string(partition.file.form);
  stats.disk_bytes = database_bytes(partition.path);
  stats.blocks = partition.totals.blocks;
  stats.samples = partition.totals.samples;
  if (partition.empty()) return stats;
  stats.first_ms = partition.first_ms;
  stats.last_ms = partition.last_ms;
  return stats;
}

}  // namespace

std::string_view to_string(FileForm form) {
  constexpr std::array<std::string_view, 6> kNames{"open",     "finished", "compacted",
                                                   "building", "doomed",   "damaged"};
  return kNames.at(static_cast<std::size_t>(form));
}

std::vector<FileStats> list_file_stats(const Catalogue& catalogue, const std::vector<std::string>& journals,
                                       const std::filesystem::path& directory) {
  std::vector<FileStats> files;
  for (const Tier tier : kTiers) {
    for (const PartitionInfo& partition : catalogue.all(tier)) files.push_back(stats_of(partition));
  }
  const auto add = [&](const std::filesystem::path& path, std::string_view kind) {
    FileStats stats;
    stats.name = path.filename();
    stats.kind = kind;
    stats.form = to_string(FileForm::open);
    stats.disk_bytes = database_bytes(path);
    files.push_back(std::move(stats));
  };
  for (const std::string& journal : journals) add(journal, "journal");
  add(directory / kIndexFile, "index");
  return files;
}

}  // namespace vigil::aggregator
