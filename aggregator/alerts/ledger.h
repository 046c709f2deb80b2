// What happened to alerts and is not in meta.db yet. A disk that refuses (full, broken) keeps alerts here
// until it accepts again; messages are handed out all the same: better twice after a crash than never.
// Belongs to the alert service's worker.
#pragma once

#include "aggregator/alerts/alert.h"
#include "aggregator/alerts/meta_store.h"
#include "aggregator/alerts/tellings.h"

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vigil::alerts {

class Ledger {
 public:
  explicit Ledger(MetaStore& store) : store_(store) {}

  /// The alert is to be written as it is at commit().
  void note(const std::string& fingerprint);
  /// The alert is over: it goes from meta.db, and into the history if it fired.
  void note_end(const Alert& alert);
  /// With what it tells of each of its alerts; `firing_as`: what it means that one fires.
  void add_message(notify::Row row, Telling::What firing_as = Telling::What::fires);
  /// Groups of alerts are to be written as they are at commit().
  void note_groups(std::set<std::string> ids) { groups_.merge(ids); }

  /// A silence is to be written as it is at commit().
  void note_silence(const std::string& id) { silences_.insert(id); }

  /// What was told of one life of an alert, by time: of meta.db and what is not there yet.
  Result<std::vector<Telling>> tellings(const std::string& fingerprint, std::int64_t fired_at_ms) const;

  /// Fingerprints that commit() wants the alerts of, and ids that it wants the groups of.
  const std::set<std::string>& changed() const { return changed_; }
  const std::set<std::string>& changed_groups() const { return groups_; }
  const std::set<std::string>& changed_silences() const { return silences_; }

  enum class Outcome : std::uint8_t { nothing, written, refused };
  struct Committed {
    Outcome outcome = Outcome::nothing;
    std::vector<notify::Row> messages;  // for the notifier; with their ids when they were written
    std::int64_t took_ns = 0;
  };
  /// Beside the alerts: groups and silences those of changed_groups() and changed_silences() that are still
  /// there, and runs that changed or are forgotten. Of these the caller remembers what was refused.
  struct Company {
    std::vector<StoredGroup> groups;
    std::vector<StoredSilence> silences;
    std::vector<StoredRun> runs;
    std::vector<std::string> forgotten_runs;
  };
  /// One transaction. `alerts`: copies of those of changed() that are still there.
  Committed commit(const std::deque<Alert>& alerts, Company company);

 private:
  void log_change(const Result<void>& done);

  MetaStore& store_;
  std::set<std::string> changed_;
  std::set<std::string> removed_;
  std::deque<Alert> history_;
  std::set<std::string> groups_;
  std::set<std::string> silences_;
  std::vector<notify::Row> messages_;  // of this round
  std::deque<Telling> tellings_;
  bool refused_ = false;
};

}  // namespace vigil::alerts
