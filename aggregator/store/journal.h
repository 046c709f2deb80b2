// The journal: what agents sent since the last seal, as groups of entries in files of their own. Each file is
// an SQLite database in WAL mode with synchronous=FULL that is never checkpointed: its WAL is the log,
// written once, and a file goes as a whole once nothing in it is needed. Belongs to the history thread.
#pragma once

#include "aggregator/store/catalogue.h"
#include "aggregator/store/sqlite.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator {

class Journal {
 public:
  Journal(std::filesystem::path folder, std::string vfs) : folder_(std::move(folder)), vfs_(std::move(vfs)) {}

  std::filesystem::path path(std::int64_t number) const;

  /// Groups are put into this file from now on. It is made now; history.db must know it already.
  Result<void> begin_file(std::int64_t number);
  /// The file groups are put into; 0: none was begun.
  std::int64_t current() const { return number_; }
  std::uint64_t current_bytes() const { return bytes_; }

  Result<void> begin();
  Result<void> put_group(std::string_view group);
  /// When it returns, the groups are on disk.
  Result<void> commit();
  void rollback();

  using Visit = std::function<void(std::string_view group)>;
  /// Visits the groups of an earlier file in their order, also what is left of damaged ones. Errc::corrupt:
  /// SQLite could not read on; what came before was visited. Errc::unsupported: the file is newer than this
  /// program, or another program's.
  Result<void> each_group(std::int64_t number, const Visit& visit) const;
  /// Removes a file with all that belongs to it. Not the current one.
  Result<void> remove(std::int64_t number) const;
  void close();

 private:
  Result<void> each_salvaged(const std::filesystem::path& file, const std::vector<std::string>& images,
                             const Visit& visit) const;

  const std::filesystem::path folder_;
  const std::string vfs_;
  std::int64_t number_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t transaction_bytes_ = 0;
  std::optional<Database> database_;
  std::optional<Statement> insert_;
};

}  // namespace vigil::aggregator
