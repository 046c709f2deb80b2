// The log of changes: who, from where, what, before and after. It only grows; triggers of the database see to
// that. Where a retention is configured, what is older leaves, and that is an entry, too. Any thread.
//
// An entry that cannot be written (a full disk) stays in memory, is tried again, and until then changes are
// refused: nothing is changed that nobody could look up.
#pragma once

#include "aggregator/access/access_file.h"
#include "aggregator/access/role.h"
#include "common/error.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator::access {

/// Who does something, as the aggregator knows it.
struct Actor {
  Caller::Kind kind = Caller::Kind::anonymous;
  std::string name;
  std::string from;  // an address
};

struct AuditEntry {
  std::int64_t id = 0;  // set when it is written
  std::int64_t at_ms = 0;
  Actor actor;
  std::string what;    // "silence.set"
  std::string object;  // an id or a name
  std::string before;  // JSON; "": was not there
  std::string after;   // JSON; "": is no more
};

/// What changed, for those who note it.
struct Change {
  std::string_view what;
  std::string object;
  std::string before;
  std::string after;
};

struct AuditQuery {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;  // 0: now
  std::string who = {};
  std::string what = {};  // what begins so
  std::size_t limit = 1000;
};

class Audit {
 public:
  Audit(AccessFile& file, std::function<std::int64_t()> now_ms) : file_(file), now_ms_(std::move(now_ms)) {}

  /// Whether changes can be noted; called before one is made. Errc::unavailable says what is in the way.
  Result<void> ready();
  /// Notes a change that was made. The error is for who asked for it: it is done, and not in the log yet.
  Result<void> note(const Actor& actor, const Change& change);
  /// Adds an entry within a transaction of the file: the change and its entry are one.
  Result<void> add(Database& database, const Actor& actor, const Change& change) const;

  /// By time; at most `limit`, the latest.
  struct Found {
    std::vector<AuditEntry> entries;
    bool truncated = false;
  };
  Result<Found> find(const AuditQuery& query);
  /// Removes what was noted before `before_ms`, and notes that.
  Result<void> prune(std::int64_t before_ms);
  /// Entries that wait for the disk.
  std::size_t waiting() const;

 private:
  Result<void> flush_locked();

  AccessFile& file_;
  const std::function<std::int64_t()> now_ms_;
  mutable std::mutex mutex_;  // protects waiting_
  std::deque<AuditEntry> waiting_;
};

}  // namespace vigil::aggregator::access
