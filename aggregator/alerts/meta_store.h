// meta.db: what must survive a restart of the aggregator besides samples: alerts, their history and groups,
// the outbox, who was told what, threads of messages, silences, runs of actions.
//
// Belongs to the alert service's thread; one connection makes all commits and checkpoints. synchronous=FULL:
// what commit() has said yes to is on the disk.
#pragma once

#include "aggregator/alerts/alert.h"
#include "aggregator/alerts/dead_letters.h"
#include "aggregator/alerts/tellings.h"
#include "aggregator/notify/notification.h"
#include "aggregator/notify/notifier.h"
#include "aggregator/store/sqlite.h"
#include "common/error.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::alerts {

/// A group of alertmanager.yml: see Grouping.
struct StoredGroup {
  std::string id;
  std::string state;  // routing::encode()
  std::string ended;  // JSON: notifications of its alerts that are over
};

struct StoredSilence {
  std::string id;
  std::string body;  // silences::encode()
};

/// A run of an action.
struct StoredRun {
  std::string id;
  std::int64_t created_ms = 0;
  std::string body;  // actions::encode()
};

/// A message that did not arrive (yet).
struct Undelivered {
  std::string receiver;
  std::int64_t created_ms = 0;
  std::int64_t given_up_ms = 0;  // 0: it waits
  std::string error;             // of its latest attempt
  int attempts = 0;              // that failed
  std::int64_t next_attempt_ms = 0;
};

/// One transaction's worth of changes.
struct Changes {
  std::vector<const Alert*> put;               // pending and firing alerts as they are now
  std::vector<std::string> removed;            // fingerprints
  std::vector<const Alert*> history;           // resolved alerts
  std::vector<StoredGroup> groups;             // as they are now
  std::vector<std::string> ended_groups;       // ids
  std::vector<StoredSilence> silences;         // as they are now
  std::vector<StoredRun> runs;                 // as they are now
  std::vector<std::string> forgotten_runs;     // ids
  std::vector<Telling> tellings;               // of the messages of the outbox
  std::vector<notify::Row>* outbox = nullptr;  // gets its ids; may be null
  bool empty() const {
    return put.empty() && removed.empty() && history.empty() && groups.empty() && ended_groups.empty() &&
           silences.empty() && runs.empty() && forgotten_runs.empty() && tellings.empty() &&
           (!outbox || outbox->empty());
  }
};

/// An alert as stored; its rule is to be found by the key.
struct StoredAlert {
  std::string rule_key;
  Alert alert;
};

/// A row of the history.
struct EndedAlert {
  std::string fingerprint;
  std::string rule_key;
  std::int64_t fired_at_ms = 0;
  std::int64_t resolved_at_ms = 0;
  Labels labels;
  Labels series{};  // the alert's identity within its rule
};

class MetaStore {
 public:
  /// Errc::unsupported: the file is newer than this program, or another program's. Nothing is written, so
  /// that it can be asked before anything else of the data folder is touched; other errors are left to
  /// open().
  static Result<void> refuse_unknown(const std::string& path);
  /// Opens or creates the file and brings it to the newest version. Errc::corrupt, io, permission, conflict.
  /// `vfs` "" is the default one.
  static Result<MetaStore> open(const std::string& path, const std::string& vfs = "");

  Result<void> commit(const Changes& changes);

  /// Pending and firing alerts. Rows that cannot be read are left out and counted in damaged().
  Result<std::vector<StoredAlert>> alerts();
  /// Alerts that ended at or after `since_ms`, the oldest first.
  Result<void> each_ended(std::int64_t since_ms, const std::function<void(const EndedAlert&)>& visit);
  /// The latest that is over whose fingerprint begins so, with its state and fingerprint; nothing when there
  /// is none. Errc::invalid_argument when several begin so.
  Result<std::optional<StoredAlert>> ended(std::string_view fingerprint);
  /// Those that ended at or after `since_ms`, whole, the oldest first.
  Result<std::vector<StoredAlert>> ended_since(std::int64_t since_ms);
  /// What was told of one life of an alert, by time.
  Result<std::vector<Telling>> tellings(std::string_view fingerprint, std::int64_t fired_at_ms);
  Result<std::vector<notify::Row>> queued();
  /// Messages about an alert, or a group with it, that wait or were given up, and were made within a second
  /// of one of these times; oldest first.
  Result<std::vector<Undelivered>> undelivered(std::string_view fingerprint,
                                               const std::set<std::int64_t>& made_ms);
  /// What each receiver was not told, by its name.
  Result<std::vector<notify::GivenUp>> given_up();
  /// The newest, `most` of them, or as many as are worth reading at once.
  Result<DeadLetters> dead_letters(std::size_t most);
  /// Of a choice, by their ids; of all at most `most`.
  Result<std::vector<std::int64_t>> dead_ids(const LetterChoice& choice, std::size_t most);
  /// In their order, up to the one with which they have `bytes`.
  Result<std::vector<DeadLetter>> read_letters(const std::vector<std::int64_t>& ids, std::size_t bytes);
  /// In one transaction: they wait as they are here, and what they say is told when they were created. Those
  /// that are not there are left out.
  Result<void> revive(const std::vector<notify::Row>& rows);
  Result<void> drop_letters(const std::vector<std::int64_t>& ids);
  Result<std::vector<StoredGroup>> groups();
  Result<std::vector<StoredRun>> runs();
  std::size_t damaged() const { return damaged_; }

  /// The bodies of all silences.
  Result<std::vector<std::string>> silences();
  /// In one transaction; rows of the same id are replaced.
  Result<void> put_silences(const std::vector<StoredSilence>& silences);
  Result<void> remove_silences(const std::vector<std::string>& ids);

  /// Threads of messages, of all receivers.
  Result<std::vector<notify::ThreadChange>> threads();

  /// In one transaction, with the thread, and with when what was delivered arrived.
  Result<void> record(const notify::Delivery& delivery, std::int64_t now_ms);
  /// History, dead messages and threads older than `before_ms` go, and what was told last before then of
  /// alerts that are over.
  Result<void> prune(std::int64_t before_ms);
  /// Moves the log into the file.
  Result<void> checkpoint();

 private:
  explicit MetaStore(aggregator::Database database) : database_(std::move(database)) {}
  Result<void> prepare();
  Result<void> write(const Changes& changes);
  Result<void> write(const Telling& telling);
  Result<void> mark(const notify::Delivery& delivery, std::int64_t now_ms);
  Result<void> note_arrival(const std::vector<std::int64_t>& ids, std::int64_t now_ms);
  Result<void> write(const notify::ThreadChange& thread, std::int64_t now_ms);
  template <class Work>
  Result<void> in_transaction(Work work);
  template <class Rows, class Write>
  Result<void> for_each(std::string_view sql, const Rows& rows, Write write);

  aggregator::Database database_;
  std::optional<aggregator::Statement> put_alert_, remove_alert_, add_history_, put_group_, remove_group_,
      put_silence_, put_run_, remove_run_, put_telling_, add_message_;
  std::size_t damaged_ = 0;
};

template <class Work>
Result<void> MetaStore::in_transaction(Work work) {
  if (auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun;
  Result<void> done = work();
  if (done) done = database_.execute("COMMIT");
  if (!done) static_cast<void>(database_.execute("ROLLBACK"));
  return done;
}

/// Runs `sql` once for each row.
template <class Rows, class Write>
Result<void> MetaStore::for_each(std::string_view sql, const Rows& rows, Write write) {
  auto statement = database_.prepare(sql);
  if (!statement) return statement.error();
  Result<void> done;
  for (auto row = rows.begin(); done && row != rows.end(); ++row) done = write(*statement, *row);
  return done;
}

}  // namespace vigil::alerts
