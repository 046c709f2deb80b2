// All silences. Pure: times and new ids come in as arguments; what changed is for the owner to store. Owned
// by whoever owns the alerts.
#pragma once

#include "aggregator/silences/silence.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::silences {

class SilenceBook {
 public:
  /// Puts back what was stored.
  void restore(Silence silence);

  /// A new silence where it has no id, otherwise the change of one. As in Alertmanager, a change that would
  /// rewrite what it did (other matchers, another begin of an active one) ends it and makes a new one, of id
  /// `new_id`. A begin in the past is now. Gives the id; Errc::not_found when there is none to change.
  Result<std::string> put(Silence silence, const std::string& new_id, std::int64_t now_ms);
  /// Ends it. Errc::not_found when there is none, Errc::conflict when it is over already.
  Result<void> expire(const std::string& id, std::int64_t now_ms);
  /// Forgets those that were over before `before_ms`, and of more than `most` that are over those that ended
  /// first; their ids.
  std::vector<std::string> forget(std::int64_t before_ms, std::size_t most, std::int64_t now_ms);

  /// Those that hold back the messages of an alert with these labels.
  std::vector<const Silence*> muting(const Labels& labels, std::int64_t t_ms) const;
  bool is_muted(const Labels& labels, std::int64_t t_ms) const;
  /// When the next state of any of them changes.
  std::optional<std::int64_t> next_change_ms(std::int64_t t_ms) const;

  const Silence* find(const std::string& id) const;
  /// All of them: active, pending, expired; among them the one that ends first.
  std::vector<const Silence*> listed(std::int64_t t_ms) const;
  void for_each(const std::function<void(const Silence&)>& visit) const;
  /// Those that are not over.
  std::size_t running(std::int64_t t_ms) const;
  std::size_t size() const { return silences_.size(); }

 private:
  std::map<std::string, Silence> silences_;  // by id
};

}  // namespace vigil::silences
