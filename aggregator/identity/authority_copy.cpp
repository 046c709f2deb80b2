#include "aggregator/identity/authority_copy.h"

#include "aggregator/identity/authority_files.h"
#include "aggregator/identity/identity_store.h"
#include "aggregator/store/copy_database.h"
#include "common/config/files.h"
#include "common/tls/kept_file.h"

#include <filesystem>

namespace vigil::aggregator::identity {

Result<std::vector<std::string>> copy_authority(const std::string& folder, const std::string& target) {
  if (auto kept = tls::keep_folder(target); !kept) return kept.error();
  std::vector<std::string> names;
  const auto copy_of = [&](const std::string& path) {
    const std::string name = std::filesystem::path(path).filename();
    names.push_back(fmt::format("{}/{}", kFolder, name));
    return target + '/' + name;
  };
  for (const std::string& path : {key_path(folder), authority_path(folder), server_path(folder)}) {
    const auto text = config::read_file(path);
    if (!text) return text.error();
    if (auto kept = tls::keep_file(copy_of(path), *text, tls::Readable::by_owner); !kept) return kept.error();
  }
  const std::string path = database_path(folder);
  auto database = Database::open(path, Access::read_only, "");
  if (!database) return database.error();
  const std::string copy = copy_of(path);
  const auto copied = copy_database(*database, copy, [](std::uint64_t) { return true; });
  if (!copied) return fail(copied.error().code, "{}: {}", path, copied.error().message);
  if (auto ended = end_invites_of_copy(copy); !ended) return ended.error();
  return names;
}

}  // namespace vigil::aggregator::identity
