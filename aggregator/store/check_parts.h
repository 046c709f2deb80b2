// What the checks of single files share. Only for check*.cpp.
#pragma once

#include "aggregator/store/catalogue.h"
#include "aggregator/store/check.h"
#include "aggregator/store/records.h"
#include "aggregator/store/sqlite.h"

#include <map>
#include <set>

namespace vigil::aggregator::checks {

/// What history.db says.
struct Index {
  std::map<std::int64_t, std::string> hosts;    // names by id
  std::map<std::int64_t, std::string> sources;  // jobs by id
  std::map<std::string, StoredFile> files;      // by name in the data folder
};

class Check {
 public:
  Check(const CheckScope& scope, const CheckCallbacks& callbacks) : scope_(scope), callbacks_(callbacks) {}

  const CheckScope& scope() const { return scope_; }
  CheckTotals& totals() { return totals_; }
  /// The file that is looked at from now on.
  void begin_file(const std::string& name);
  void set_total_bytes(std::uint64_t bytes) { total_bytes_ = bytes; }
  /// So much of the file at hand was read. False: whoever asked has gone.
  bool advance(std::uint64_t bytes);
  void end_file();
  bool ended() const { return ended_; }

  /// Of the file at hand. After many of one file only their number is told, by end_file().
  void found(CheckFinding finding);
  void found(std::string what) { found(CheckFinding{{}, {}, {}, 0, 0, std::move(what)}); }

 private:
  const CheckScope& scope_;
  const CheckCallbacks& callbacks_;
  CheckTotals totals_;
  std::string file_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t file_read_ = 0;
  std::uint64_t file_findings_ = 0;
  std::uint64_t done_bytes_ = 0;
  std::uint64_t total_bytes_ = 0;
  bool ended_ = false;
};

/// A read transaction on a file; it sees one state of it.
Result<Database> begin_reading(const std::filesystem::path& path, const std::string& vfs);

/// Names and files as they are now, without a look at whether they make sense.
Result<Index> read_index(const CheckScope& scope);
/// Everything else about history.db; nothing else may be told when `database` cannot be read.
void check_index(Check& check, Database& database);
/// SQLite's own check.
void quick_check(Check& check, Database& database);
void check_partition(Check& check, const StoredFile& file, const Index& index);
void check_journal(Check& check, const std::string& name);

}  // namespace vigil::aggregator::checks
