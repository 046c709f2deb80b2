// What must hold of the messages about the alerts of one rule: who is told of what, when, how often and in
// which order. It is told what happens, and answers with a sentence when something must not be so.
#pragma once

#include "aggregator/notify/notification.h"
#include "tests/aggregator/alerts/alert_model.h"
#include "tests/aggregator/alerts/scenario_play.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vigil::alerts::testing {

class TellingModel {
 public:
  void silence(std::string id, std::size_t series, std::int64_t until_s) {
    silences_.push_back({std::move(id), series, until_s});
  }
  /// The silence that was set last ends: its id; "" when it is over already.
  std::string expire(std::int64_t now_s);
  bool is_silenced(std::size_t series, std::int64_t now_s) const;

  /// A message is in the outbox, and the notifier has it.
  std::string queued(const notify::Row& row, std::int64_t now_s);
  /// A receiver got a message.
  std::string heard(const notify::Row& row);
  /// That it did is on the disk.
  void noted(const notify::Row& row);
  /// The notifier of a new start has what the outbox has.
  std::string started(const std::vector<notify::Row>& rows);
  void killed() { ++kills_; }

  /// `who`: receivers that are to hear of alerts of this rule.
  std::string check(const std::vector<SeriesModel>& series, const std::vector<std::string>& who,
                    std::int64_t now_s);
  /// All is over, and everybody had the time to hear of it.
  std::string check_end() const;

 private:
  using Episode = std::pair<std::size_t, std::int64_t>;  // which series, and when it fired
  struct Silenced {
    std::string id;
    std::size_t series = 0;  // or kAllSeries
    std::int64_t until_s = 0;
  };
  struct Told {
    bool is_announced = false;
    std::set<std::string> of_firing;
    std::set<std::string> of_calm;  // that it flaps no more
    std::set<std::string> of_end;
  };
  struct Ear {
    std::string last;                            // key that it heard
    int kills = 0;                               // until then
    std::map<std::size_t, std::int64_t> firing;  // what it takes for firing: which series, and since when
    std::set<std::string> keys;                  // all it heard
  };
  static Episode episode_of(const notify::Row& row);
  static bool is_of_calm(const notify::Row& row) { return row.note.key.find("-calm-") != std::string::npos; }

  std::vector<Silenced> silences_;
  std::map<Episode, Told> told_;
  std::map<std::string, Ear> ears_;                         // by receiver
  std::map<std::string, std::deque<std::int64_t>> outbox_;  // by receiver: ids
  int kills_ = 0;
};

}  // namespace vigil::alerts::testing
