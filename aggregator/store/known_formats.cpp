#include "aggregator/store/known_formats.h"

#include "aggregator/store/files.h"
#include "aggregator/store/migrations.h"

#include <set>

namespace vigil::aggregator {
namespace {

/// By its name; null: it is none of ours.
const FileFormat* format_of(const std::string& name) {
  if (name == kIndexFile) return &index_format();
  if (!name.ends_with(".db")) return nullptr;
  if (name.starts_with("journal-")) return &journal_format();
  const bool partition = name.starts_with("raw-") || name.starts_with("minute-") || name.starts_with("hour-");
  return partition ? &partition_format() : nullptr;
}

Result<void> refuse_unknown_format(const std::filesystem::path& path, const std::string& vfs) {
  auto database = Database::open(path, Access::read_only, vfs);
  if (!database) return {};
  auto known = check_format(*database, *format_of(path.filename()), path.string());
  if (known || known.error().code != Errc::unsupported) return {};
  return fail(Errc::unsupported, "{}. Nothing was changed", known.error().message);
}

}  // namespace

Result<void> refuse_unknown_formats(const std::filesystem::path& directory, const std::string& vfs) {
  std::set<std::filesystem::path> paths;  // the same one is named each time
  std::error_code error;
  auto entry = std::filesystem::directory_iterator(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (format_of(entry->path().filename()) != nullptr) paths.insert(entry->path());
  }
  if (error) return fail_errno(error.value(), "read " + directory.string());
  for (const std::filesystem::path& path : paths) {
    if (auto known = refuse_unknown_format(path, vfs); !known) return known;
  }
  return {};
}

}  // namespace vigil::aggregator
